package flow_test

import (
	"context"
	"fmt"
	"log"

	"shadowflow/flow"
)

func ExampleIntegrate() {
	decay := func(_ int, _ float64, y, dydt []float64) error {
		dydt[0] = -y[0]
		return nil
	}
	sol, err := flow.Integrate(context.Background(), flow.DormandPrince5, decay, 0, 2, []float64{1}, flow.Options{
		RelTol: 1e-10, AbsTol: 1e-10,
		Times: []float64{0, 0.5, 1, 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range sol.Rows {
		fmt.Printf("%.6f\n", row[0])
	}
	// Output:
	// 1.000000
	// 0.606531
	// 0.367879
	// 0.135335
}

// A field that jumps at t = n h is told n, and integrated from break to break.
func ExampleOptions_spacing() {
	const h = 0.1
	alternating := func(n int, _ float64, _, dydt []float64) error {
		dydt[0] = 1
		if n%2 == 1 {
			dydt[0] = -1
		}
		return nil
	}
	sol, err := flow.Integrate(context.Background(), flow.DormandPrince8, alternating, 0, 1, []float64{0}, flow.Options{
		Spacing: h,
		Times:   []float64{0.05, 0.1, 0.15, 0.25, 0.3},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range sol.Rows {
		fmt.Printf("%.3f ", row[0])
	}
	// Output:
	// 0.050 0.100 0.050 0.050 0.100
}

func ExampleIntegrate_times() {
	circle := func(_ int, _ float64, y, dydt []float64) error {
		dydt[0], dydt[1] = -y[1], y[0]
		return nil
	}
	sol, err := flow.Integrate(context.Background(), flow.DormandPrince8, circle, 0, -10, []float64{1, 0}, flow.Options{
		RelTol: 1e-12, AbsTol: 1e-12, Times: []float64{-2.5},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.9f %.9f\n", sol.Rows[0][0], sol.Rows[0][1])
	// Output:
	// -0.801143616 -0.598472144
}

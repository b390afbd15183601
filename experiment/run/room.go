package run

import (
	"fmt"

	"shadowflow/experiment/config"
	"shadowflow/internal/memory"
	"shadowflow/nn"
	"shadowflow/rule"
)

// Subject is what a run trains, as far as its memory depends on it.
type Subject struct {
	Rule *rule.Rule
	Dim  int
	// Model is the network; nil for a loss in closed form, or one that another program serves.
	Model *nn.Model
	// Train and All are numbers of examples, for training and in all, Numbers of what an example has. Regression says that numbers are predicted.
	Train, All, Numbers int
	Regression          bool
}

// Room is about what a run takes at its peak, in bytes.
type Room struct {
	Data     int64
	Vectors  int64 // of parameters, those of what is measured along the run and moves beside it included
	Programs int64
}

// Bytes returns all of it.
func (r Room) Bytes() int64 { return r.Data + r.Vectors + r.Programs }

// Rooms tells the room of runs before any of it is taken. It remembers what programs take, which costs as much time as making them. The zero value is
// ready. It is not for concurrent use.
type Rooms struct{ programs map[string]int64 }

// beyond is a number of parameters that fit no machine with their vectors, and whose programs no graph holds.
const beyond = 1 << 35

// Of returns the room of a run of a config.
func (r *Rooms) Of(c *config.Config, s Subject) (Room, error) {
	room := Room{Data: dataRoom(c, s), Vectors: vectorRoom(c, s)}
	if s.Dim > beyond {
		return room, nil
	}
	wants, err := programsOf(c, s)
	if err != nil {
		return room, err
	}
	key := wants.key()
	known, ok := r.programs[key]
	if !ok {
		if known, err = wants.room(); err != nil {
			return room, err
		}
		if r.programs == nil {
			r.programs = map[string]int64{}
		}
		r.programs[key] = known
	}
	room.Programs = known
	return room, nil
}

// dataRoom returns the memory of data, with its inputs as a model takes them: twice where parts of the full batch are compared, which have an order of
// their own.
func dataRoom(c *config.Config, s Subject) int64 {
	read, kept := int64(s.All)*int64(s.Numbers), min(int64(s.Train)*int64(s.Numbers)*widthOf(c), 1<<30)
	if c.Record.Sharpness > 0 && !c.Batch.Mini() || c.Batch.Mini() {
		read += int64(s.Train) * int64(s.Numbers)
	}
	if c.Record.Sharpness > 0 && !c.Batch.Mini() {
		kept *= 2
	}
	return read + kept
}

// widthOf returns the bytes of a number of a run.
func widthOf(c *config.Config) int64 {
	if c.DType == "float64" {
		return 8
	}
	return 4
}

// atOnce returns the number of examples that a program evaluates at most, and the number of programs' passes that a batch takes.
func (s Subject) atOnce(c *config.Config) (n, passes int) {
	batch := s.Train
	if c.Batch.Mini() {
		batch = min(batch, c.Batch.Size)
	}
	n = max(1, min(c.Batch.Physical, batch))
	return n, (s.Train + n - 1) / n // of all examples, which are looked at with mini-batches too
}

// batches returns the number of batches whose gradients a run tells apart.
func (s Subject) batches(c *config.Config) int {
	if !c.Batch.Mini() || s.Train == 0 {
		return 1
	}
	return max(1, s.Train/max(1, c.Batch.Size))
}

// roomFor refuses a run that would need more memory than there is, before any of it is made. Its data is there.
func roomFor(c *config.Config, s Subject) error {
	room := Room{Vectors: vectorRoom(c, s)}
	n, _ := s.atOnce(c)
	const small, few = 64 << 20, 1 << 26 // not worth measuring programs, which takes as long as making them
	measured := s.Model != nil && (room.Vectors > small || int64(n)*int64(s.Dim) > few)
	if err := memory.Check(room.Bytes()); err == nil && measured {
		if room, err = new(Rooms).Of(c, s); err != nil {
			return err
		}
		room.Data = 0
	}
	if err := memory.Check(room.Bytes()); err != nil {
		parts := "vectors of parameters take " + memory.Format(room.Vectors)
		if room.Programs > 0 { // else they were not asked
			parts += ", programs " + memory.Format(room.Programs)
		}
		return fmt.Errorf("the run of %d parameters, with what is measured along it and moves beside it, %w (%s): "+
			"want fewer parameters, dtype float32, or less of record.sharpness, record.bias, record.state (0: none), beside and batch.physical",
			s.Dim, err, parts)
	}
	return nil
}

// Package objective holds losses as functions of one vector of parameters.
//
// An [Objective] is written as graph code, batch by batch; its gradient, its Hessian-vector product and all further
// derivatives follow. Those in closed form are made by name with [New]. [Compile] turns one into numeric functions.
package objective

package isa

func available() []Set { return []Set{Go, NEON} } // every such processor has vectors

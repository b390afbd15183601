#include "textflag.h"

// func prefetchLines(from unsafe.Pointer, lines int)
TEXT ·prefetchLines(SB), NOSPLIT, $0-16
	MOVQ from+0(FP), AX
	MOVQ lines+8(FP), CX

next:
	TESTQ CX, CX
	JLE   done
	PREFETCHT1 (AX)
	ADDQ  $64, AX
	DECQ  CX
	JMP   next

done:
	RET

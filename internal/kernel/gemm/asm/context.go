package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// ctx collects what the generator writes. Avo has such a context too, but keeps it from the printer of arm64's assembly.
var ctx = build.NewContext()

// begin empties the context, and what stands for its tables.
func begin() {
	*ctx = *build.NewContext()
	clear(bitTables)
	clear(broadcasts)
}

// Attributes of functions and tables.
const (
	NOSPLIT = attr.NOSPLIT
	NOPTR   = attr.NOPTR
	RODATA  = attr.RODATA
)

// TEXT starts a function.
func TEXT(name string, a attr.Attribute, signature string) {
	ctx.Function(name)
	ctx.Attributes(a)
	ctx.SignatureExpr(signature)
}

// GLOBL starts a table of constants.
func GLOBL(name string, a attr.Attribute) operand.Mem {
	g := ctx.StaticGlobal(name)
	ctx.DataAttributes(a)
	return g
}

// The instructions in use, and what else a function is written with.
var (
	Param      = ctx.Param
	Load       = ctx.Load
	AllocLocal = ctx.AllocLocal
	Label      = ctx.Label
	DATA       = ctx.AddDatum

	ADDQ             = ctx.ADDQ
	ANDQ             = ctx.ANDQ
	CMPQ             = ctx.CMPQ
	DECQ             = ctx.DECQ
	DIVQ             = ctx.DIVQ
	IMUL3Q           = ctx.IMUL3Q
	IMULQ            = ctx.IMULQ
	JE               = ctx.JE
	JG               = ctx.JG
	JGE              = ctx.JGE
	JL               = ctx.JL
	JLE              = ctx.JLE
	JNE              = ctx.JNE
	JNZ              = ctx.JNZ
	JZ               = ctx.JZ
	KMOVW            = ctx.KMOVW
	KXNORW           = ctx.KXNORW
	LEAQ             = ctx.LEAQ
	MOVL             = ctx.MOVL
	MOVQ             = ctx.MOVQ
	PREFETCHT0       = ctx.PREFETCHT0
	RET              = ctx.RET
	SHLQ             = ctx.SHLQ
	SHRQ             = ctx.SHRQ
	SUBQ             = ctx.SUBQ
	TESTQ            = ctx.TESTQ
	VADDPD           = ctx.VADDPD
	VADDPS           = ctx.VADDPS
	VADDSD           = ctx.VADDSD
	VADDSS           = ctx.VADDSS
	VBROADCASTSD     = ctx.VBROADCASTSD
	VBROADCASTSS     = ctx.VBROADCASTSS
	VEXTRACTF128     = ctx.VEXTRACTF128
	VEXTRACTF64X4    = ctx.VEXTRACTF64X4
	VFMADD231PD      = ctx.VFMADD231PD
	VFMADD231PD_BCST = ctx.VFMADD231PD_BCST
	VFMADD231PS      = ctx.VFMADD231PS
	VFMADD231PS_BCST = ctx.VFMADD231PS_BCST
	VFNMADD231PS     = ctx.VFNMADD231PS
	VMASKMOVPD       = ctx.VMASKMOVPD
	VMASKMOVPS       = ctx.VMASKMOVPS
	VMOVAPS          = ctx.VMOVAPS
	VMOVHLPS         = ctx.VMOVHLPS
	VMOVQ            = ctx.VMOVQ
	VMOVSD           = ctx.VMOVSD
	VMOVSHDUP        = ctx.VMOVSHDUP
	VMOVSS           = ctx.VMOVSS
	VMOVUPD          = ctx.VMOVUPD
	VMOVUPD_Z        = ctx.VMOVUPD_Z
	VMOVUPS          = ctx.VMOVUPS
	VMOVUPS_Z        = ctx.VMOVUPS_Z
	VMULPS           = ctx.VMULPS
	VPAND            = ctx.VPAND
	VPBROADCASTD     = ctx.VPBROADCASTD
	VPBROADCASTQ     = ctx.VPBROADCASTQ
	VPCMPEQD         = ctx.VPCMPEQD
	VPCMPEQQ         = ctx.VPCMPEQQ
	VPERM2F128       = ctx.VPERM2F128
	VPERMPS          = ctx.VPERMPS
	VPXORD           = ctx.VPXORD
	VSHUFF32X4       = ctx.VSHUFF32X4
	VSUBPS           = ctx.VSUBPS
	VUNPCKHPD        = ctx.VUNPCKHPD
	VUNPCKHPS        = ctx.VUNPCKHPS
	VUNPCKLPD        = ctx.VUNPCKLPD
	VUNPCKLPS        = ctx.VUNPCKLPS
	VXORPS           = ctx.VXORPS
	VZEROUPPER       = ctx.VZEROUPPER
	XORQ             = ctx.XORQ
)

// Command cpuid-oracle says what klauspost/cpuid reads in registers that are given to it: a JSON object a line in, one out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	_ "unsafe" // for go:linkname

	"github.com/klauspost/cpuid/v2"
)

// The library asks the processor by these variables of its own.

//go:linkname askLeaf github.com/klauspost/cpuid/v2.cpuid
var askLeaf func(op uint32) (eax, ebx, ecx, edx uint32)

//go:linkname askSubleaf github.com/klauspost/cpuid/v2.cpuidex
var askSubleaf func(op, op2 uint32) (eax, ebx, ecx, edx uint32)

//go:linkname askStates github.com/klauspost/cpuid/v2.xgetbv
var askStates func(index uint32) (eax, edx uint32)

type question struct {
	Leaves map[string][4]uint32 `json:"leaves"`
	Xcr0   uint32               `json:"xcr0"`
}

type answer struct {
	Flags      string `json:"flags"`
	Vendor     string `json:"vendor"`
	Family     int    `json:"family"`
	Model      int    `json:"model"`
	Hypervisor string `json:"hypervisor,omitempty"`
	Avx10      uint8  `json:"avx10,omitempty"`
	Enclaves   uint64 `json:"enclaves,omitempty"`
	Level      int    `json:"level,omitempty"`
}

func answerTo(asked question) answer {
	ask := func(op, op2 uint32) (eax, ebx, ecx, edx uint32) {
		r := asked.Leaves[fmt.Sprintf("%d.%d", op, op2)]
		return r[0], r[1], r[2], r[3]
	}
	askSubleaf = ask
	askLeaf = func(op uint32) (eax, ebx, ecx, edx uint32) { return ask(op, 0) }
	askStates = func(uint32) (eax, edx uint32) { return asked.Xcr0, 0 }
	cpuid.CPU = cpuid.CPUInfo{}
	cpuid.Detect()
	cpu := cpuid.CPU
	result := answer{
		Flags:  strings.Join(cpu.FeatureSet(), " "),
		Vendor: cpu.VendorID.String(),
		Family: cpu.Family,
		Model:  cpu.Model,
		Avx10:  cpu.AVX10Level,
		Level:  cpu.X64Level(),
	}
	if cpu.VM() {
		result.Hypervisor = cpu.HypervisorVendorID.String() + "|" + cpu.HypervisorVendorString
	}
	for _, section := range cpu.SGX.EPCSections {
		result.Enclaves += section.EPCSize
	}
	return result
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(answerTo(asked)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

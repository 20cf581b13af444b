// Which bit of which register stands for which flag. Names are those of the library that node-feature-discovery reads them with (klauspost/cpuid
// 2.4), since labels are made of them.

import type { RegisterName } from './cpuid-registers.ts'

/** What must be so for a row to count, beside that the processor has the leaf. */
export type Condition = 'none' | 'avx' | 'avx512' | 'svm' | 'ibs' | 'amd' | 'bmi1' | 'xsave' | 'sgx' | 'avx10'

export interface BitRow {
  readonly leaf: number
  readonly subleaf: number
  readonly register: RegisterName
  readonly when: Condition
  readonly bits: readonly (readonly [bit: number, flag: string])[]
}

/** `leaf.subleaf.register condition: bit NAME, …`, in the order in which conditions are met. */
const table = `
1.0.edx none: 0 X87, 8 CMPXCHG8, 11 SYSEE, 15 CMOV, 23 MMX, 24 FXSR, 25 FXSROPT, 25 SSE, 26 SSE2
1.0.ecx none: 0 SSE3, 0 XSAVE, 0 OSXSAVE, 1 CLMUL, 5 VMX, 9 SSSE3, 13 CX16, 19 SSE4, 20 SSE42, 22 MOVBE, 23 POPCNT, 25 AESNI, 29 F16C, 30 RDRAND, 31 HYPERVISOR
7.0.ebx avx: 5 AVX2
7.0.ebx none: 2 SGX, 3 BMI1, 4 HLE, 9 ERMS, 11 RTM, 14 MPX, 18 RDSEED, 19 ADX, 29 SHA
7.0.ebx bmi1: 8 BMI2
7.0.ecx none: 5 WAITPKG, 7 CETSS, 8 GFNI, 9 VAES, 10 VPCLMULQDQ, 13 TME, 23 KEYLOCKER, 25 CLDEMOTE, 27 MOVDIRI, 28 MOVDIR64B, 29 ENQCMD, 30 SGXLC
7.0.edx none: 4 FSRM, 9 SRBDS_CTRL, 10 MD_CLEAR, 11 RTM_ALWAYS_ABORT, 14 SERIALIZE, 15 HYBRID_CPU, 16 TSXLDTRK, 18 PCONFIG, 20 CETIBT, 26 IBPB, 27 STIBP, 28 FLUSH_L1D, 29 IA32_ARCH_CAP, 30 IA32_CORE_CAP, 31 SPEC_CTRL_SSBD
7.1.eax none: 1 SM3_X86, 2 SM4_X86, 7 CMPCCXADD, 10 MOVSB_ZL, 11 STOSB_SHORT, 12 CMPSB_SCADBS_SHORT, 17 FRED, 22 HRESET, 23 AVXIFMA, 26 LAM
7.1.eax avx: 4 AVXVNNI
7.1.edx none: 4 AVXVNNIINT8, 5 AVXNECONVERT, 6 AMXTRANSPOSE, 7 AMXTF32, 8 AMXCOMPLEX, 10 AVXVNNIINT16, 14 PREFETCHI, 19 AVX10, 21 APX_F
7.0.ebx avx512: 16 AVX512F, 17 AVX512DQ, 21 AVX512IFMA, 26 AVX512PF, 27 AVX512ER, 28 AVX512CD, 30 AVX512BW, 31 AVX512VL
7.0.ecx avx512: 1 AVX512VBMI, 3 AMXFP8, 6 AVX512VBMI2, 11 AVX512VNNI, 12 AVX512BITALG, 14 AVX512VPOPCNTDQ
7.0.edx avx512: 8 AVX512VP2INTERSECT, 22 AMXBF16, 23 AVX512FP16, 24 AMXTILE, 25 AMXINT8
7.1.eax avx512: 5 AVX512BF16, 19 WRMSRNS, 21 AMXFP16, 27 MSRLIST
7.2.edx none: 0 PSFD, 1 IDPRED_CTRL, 2 RRSBA_CTRL, 4 BHI_CTRL, 5 MCDT_NO
d.1.eax xsave: 0 XSAVEOPT, 1 XSAVEC, 2 XGETBV1, 3 XSAVES
24.0.ebx avx10: 16 AVX10_128, 17 AVX10_256, 18 AVX10_512
80000001.0.ecx none: 0 LAHF, 2 SVM, 5 LZCNT, 5 POPCNT, 6 SSE4A, 10 IBS, 22 TOPEXT
80000001.0.ecx avx: 11 XOP, 16 FMA4
80000001.0.edx none: 11 SYSCALL, 20 NX, 22 MMXEXT, 23 MMX, 24 FXSR, 25 FXSROPT, 27 RDTSCP, 30 AMD3DNOWEXT, 31 AMD3DNOW
80000007.0.ebx none: 0 MCAOVERFLOW, 1 SUCCOR, 2 HWA
80000007.0.edx none: 9 CPBOOST
80000008.0.ebx none: 0 CLZERO, 1 MSRIRC, 3 INVLPGB, 4 RDPRU, 8 MCOMMIT, 9 WBNOINVD, 12 IBPB, 13 INT_WBINVD, 14 IBRS, 15 STIBP, 17 STIBP_ALWAYSON, 18 IBRS_PREFERRED, 19 IBRS_PROVIDES_SMP, 20 EFER_LMSLE_UNS, 21 TLB_FLUSH_NESTED, 23 PPIN, 24 SPEC_CTRL_SSBD, 27 CPPC, 28 PSFD
8000000a.0.edx svm: 0 SVMNP, 1 LBRVIRT, 2 SVML, 3 NRIPS, 4 TSCRATEMSR, 5 VMCBCLEAN, 6 SVMFBASID, 7 SVMDA, 10 SVMPF, 12 SVMPFT
8000001a.0.eax none: 0 FP128, 1 MOVU, 2 FP256
8000001b.0.eax ibs: 0 IBSFFV, 1 IBSFETCHSAM, 2 IBSOPSAM, 3 IBSRDWROPCNT, 4 IBSOPCNT, 5 IBSBRNTRGT, 6 IBSOPCNTEXT, 7 IBSRIPINVALIDCHK, 8 IBS_OPFUSE, 9 IBS_FETCH_CTLX, 10 IBS_OPDATA4, 11 IBS_ZEN4
8000001f.0.eax amd: 0 SME, 1 SEV, 2 MSR_PAGEFLUSH, 3 SEV_ES, 4 SEV_SNP, 5 VMPL, 10 SME_COHERENT, 11 SEV_64BIT, 12 SEV_RESTRICTED, 13 SEV_ALTERNATIVE, 14 SEV_DEBUGSWAP, 15 IBS_PREVENTHOST, 16 VTE, 24 VMSA_REGPROT
80000021.0.eax amd: 5 TSA_VERW_CLEAR, 23 AVX512BMM, 27 SBPB, 28 IBPB_BRTYPE, 29 SRSO_NO, 30 SRSO_USER_KERNEL_NO, 31 SRSO_MSR_FIX
80000021.0.ecx amd: 1 TSA_L1_NO, 2 TSA_SQ_NO
`

// The leaf of SGX is read without asking whether the processor has it: whoever has the flag has the leaf.
const sgxTable = '12.0.eax sgx: 12 SGXPQC'

export const bitRows: readonly BitRow[] = [...table.trim().split('\n'), sgxTable].map(rowOf)

function rowOf(line: string): BitRow {
  const [place = '', when = '', list = ''] = /^(\S+) (\S+): (.*)$/.exec(line)?.slice(1) ?? []
  const [leaf = '', subleaf = '', register = ''] = place.split('.')
  const bits = list.split(', ').map((pair): readonly [number, string] => {
    const [at = '', flag = ''] = pair.split(' ')
    return [Number(at), flag]
  })
  // The casts name what the table above is made of.
  return {
    leaf: Number.parseInt(leaf, 16),
    subleaf: Number(subleaf),
    register: register as RegisterName,
    when: when as Condition,
    bits,
  }
}

// Flags of a processor as the kernel tells them, where the processor itself cannot be asked.

import type { HostTree } from '#machines/host-tree.ts'
import { type CpuidSource, vendorNamed } from './cpuid-registers.ts'

type NamedSource = Extract<CpuidSource, { readonly kind: 'names' }>

/** Where the kernel's name of a flag is not ours in small letters. */
const otherNames: Readonly<Record<string, string>> = {
  aes: 'AESNI',
  pclmulqdq: 'CLMUL',
  pni: 'SSE3',
  sse4_1: 'SSE4',
  sse4_2: 'SSE42',
  abm: 'LZCNT',
  fma: 'FMA3',
  cx8: 'CMPXCHG8',
  sep: 'SYSEE',
  fpu: 'X87',
  lahf_lm: 'LAHF',
  sha_ni: 'SHA',
  topoext: 'TOPEXT',
  avx512_bitalg: 'AVX512BITALG',
  avx512_vbmi2: 'AVX512VBMI2',
  avx512_vnni: 'AVX512VNNI',
  avx512_vpopcntdq: 'AVX512VPOPCNTDQ',
  avx512_vp2intersect: 'AVX512VP2INTERSECT',
  avx512_bf16: 'AVX512BF16',
  avx512_fp16: 'AVX512FP16',
  avx_vnni: 'AVXVNNI',
  avx_ifma: 'AVXIFMA',
  amx_bf16: 'AMXBF16',
  amx_tile: 'AMXTILE',
  amx_int8: 'AMXINT8',
  user_shstk: 'CETSS',
  ibt: 'CETIBT',
  ssbd: 'SPEC_CTRL_SSBD',
  arch_capabilities: 'IA32_ARCH_CAP',
  overflow_recov: 'MCAOVERFLOW',
  cpb: 'CPBOOST',
  irperf: 'MSRIRC',
  npt: 'SVMNP',
  lbrv: 'LBRVIRT',
  svm_lock: 'SVML',
  nrip_save: 'NRIPS',
  tsc_scale: 'TSCRATEMSR',
  vmcb_clean: 'VMCBCLEAN',
  flushbyasid: 'SVMFBASID',
  decodeassists: 'SVMDA',
  pausefilter: 'SVMPF',
  pfthreshold: 'SVMPFT',
  '3dnow': 'AMD3DNOW',
  '3dnowext': 'AMD3DNOWEXT',
}

/** Flags by `/proc/cpuinfo`: fewer than the processor has, for the kernel hides some and has no names for others. `undefined`: it is not there. */
export function namesInCpuinfo(tree: HostTree, known: ReadonlySet<string>): NamedSource | undefined {
  const text = tree.rawText(tree.own('proc/cpuinfo'))
  if (text === undefined) return undefined
  const first = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, key, value = ''] = /^([^:]+?)\s*:\s*(.*)$/.exec(line) ?? []
    if (key !== undefined && !first.has(key)) first.set(key, value)
  }
  const words = (first.get('flags') ?? '').split(' ')
  const names = words.map(word => otherNames[word] ?? word.toUpperCase()).filter(name => known.has(name))
  return {
    kind: 'names',
    way: 'cpuinfo',
    flags: new Set(names),
    vendor: vendorNamed(first.get('vendor_id') ?? ''),
    family: Number(first.get('cpu family') ?? 0),
    model: Number(first.get('model') ?? 0),
    hypervisor: words.includes('hypervisor'),
  }
}

/** Bits of AT_HWCAP on arm64, from the lowest on. */
const arm64Flags =
  'FP ASIMD EVTSTRM AES PMULL SHA1 SHA2 CRC32 ATOMICS FPHP ASIMDHP CPUID ASIMDRDM JSCVT FCMA LRCPC DCPOP SHA3 SM3 SM4 ASIMDDP SHA512 SVE ASIMDFHM DIT USCAT ILRCPC FLAGM SSBS SB PACA PACG'.split(
    ' ',
  )
/** Bits of AT_HWCAP2 on arm64. */
const arm64MoreFlags =
  'DCPODP SVE2 SVEAES SVEPMULL SVEBITPERM SVESHA3 SVESM4 FLAGM2 FRINT SVEI8MM SVEF32MM SVEF64MM SVEBF16 I8MM BF16 DGH RNG BTI MTE ECV AFP RPRES MTE3 SME SMEI16I64 SMEF64F64 SMEI8I32 SMEF16F32 SMEB16F32 SMEF32F32 SMEFA64 WFXT EBF16 SVEEBF16'.split(
    ' ',
  )

const implementers: ReadonlyMap<number, string> = new Map([
  [0xc0, 'Ampere'],
  [0x41, 'ARM'],
  [0x42, 'Broadcom'],
  [0x43, 'Cavium'],
  [0x44, 'DEC'],
  [0x46, 'Fujitsu'],
  [0x49, 'Infineon'],
  [0x4d, 'Motorola'],
  [0x4e, 'NVIDIA'],
  [0x50, 'AMCC'],
  [0x51, 'Qualcomm'],
  [0x56, 'Marvell'],
  [0x69, 'Intel'],
])

const capabilities = 16n
const moreCapabilities = 26n

/** Flags and model of a processor of arm64: by what the kernel gave this process, and by the first processor's identification. */
export function namesOfArm64(tree: HostTree): NamedSource | undefined {
  const vector = tree.bytes(tree.own('proc/self/auxv'))
  if (vector === undefined) return undefined
  const values = new Map<bigint, bigint>()
  for (let at = 0; at + 16 <= vector.length; at += 16) values.set(vector.readBigUInt64LE(at), vector.readBigUInt64LE(at + 8))
  const set = (names: readonly string[], bits: bigint) => names.filter((_, at) => ((bits >> BigInt(at)) & 1n) === 1n)
  const flags = [...set(arm64Flags, values.get(capabilities) ?? 0n), ...set(arm64MoreFlags, values.get(moreCapabilities) ?? 0n)]
  const register = BigInt(tree.text(tree.host('sys/devices/system/cpu/cpu0/regs/identification/midr_el1')) || '0')
  const midr = Number(register & 0xffff_ffffn)
  return {
    kind: 'names',
    way: 'hwcap',
    flags: new Set(flags),
    vendor: implementers.get(midr >>> 24) ?? 'VendorUnknown',
    family: (midr >>> 16) & 0xff,
    model: midr & 0xffff,
    hypervisor: false,
  }
}

// What a processor says of itself: four registers for each leaf and subleaf of CPUID.

export interface Registers {
  readonly eax: number
  readonly ebx: number
  readonly ecx: number
  readonly edx: number
}

export type RegisterName = keyof Registers

/** Registers of a processor of x86, or names of what another way could tell. */
export type CpuidSource =
  | {
      readonly kind: 'registers'
      /** Which way they came. */
      readonly way: string
      readonly leaf: (leaf: number, subleaf?: number) => Registers
      /** The states that the system saves: low half of XCR0. */
      readonly xcr0: () => number
      /** One processor of each other kind, on a machine that has several. */
      readonly otherCores?: readonly CpuidSource[]
    }
  | {
      readonly kind: 'names'
      readonly way: string
      readonly flags: ReadonlySet<string>
      readonly vendor: string
      readonly family: number
      readonly model: number
      readonly hypervisor: boolean
    }

export const noRegisters: Registers = { eax: 0, ebx: 0, ecx: 0, edx: 0 }

export function bit(value: number, at: number): boolean {
  return ((value >>> at) & 1) === 1
}

/** The text in registers, up to the first zero. */
export function textIn(...values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [at, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, at * 4)
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end)
}

const vendors: Readonly<Record<string, string>> = {
  'AMDisbetter!': 'AMD',
  AuthenticAMD: 'AMD',
  CentaurHauls: 'VIA',
  GenuineIntel: 'Intel',
  GenuineTMx86: 'Transmeta',
  'Geode by NSC': 'NSC',
  'VIA VIA VIA ': 'VIA',
  KVMKVMKVM: 'KVM',
  'Linux KVM Hv': 'KVM',
  TCGTCGTCGTCG: 'QEMU',
  'Microsoft Hv': 'MSVM',
  VMwareVMware: 'VMware',
  XenVMMXenVMM: 'XenHVM',
  'bhyve bhyve ': 'Bhyve',
  HygonGenuine: 'Hygon',
  'Vortex86 SoC': 'SiS',
  'SiS SiS SiS ': 'SiS',
  RiseRiseRise: 'SiS',
  'Genuine  RDC': 'RDC',
  QNXQVMBSQG: 'QNX',
  ACRNACRNACRN: 'ACRN',
  SRESRESRESRE: 'SRE',
  'Apple VZ': 'Apple',
}

/** The short name of a vendor by its text in leaf 0. */
export function vendorNamed(text: string): string {
  return vendors[text] ?? 'VendorUnknown'
}

/** The hypervisor below, as labels name it. */
export function hypervisorNamed(text: string): string {
  const known = vendors[text]
  if (known !== undefined) return known.toLowerCase()
  const clean = text.replace(/[^-A-Za-z0-9_.]+/g, '_')
  return clean === '' ? 'unknown' : clean
}

export interface Signature {
  readonly family: number
  readonly model: number
}

/** Family and model out of EAX of leaf 1. */
export function signatureIn(eax: number): Signature {
  const base = (eax >>> 8) & 0xf
  const family = base === 0xf ? base + ((eax >>> 20) & 0xff) : base
  const hasExtendedModel = base === 0x6 || base === 0xf
  return { family, model: ((eax >>> 4) & 0xf) + (hasExtendedModel ? (eax >>> 12) & 0xf0 : 0) }
}

// The processor: its flags and model, and how firmware and kernel have set it up.

import type { FeatureSet } from '../../matching/feature-set.ts'
import { attributesOf, Found, type Labels, type Machine, wholeNumber } from '../source.ts'
import { enclaveBytes, type Processor, readProcessor } from './cpuid-flags.ts'
import { bit, type CpuidSource, hypervisorNamed } from './cpuid-registers.ts'
import { coreKinds } from './read-cpuid.ts'

interface CpuSettings {
  readonly cpuid: {
    /** Flags without a label. */
    readonly attributeBlacklist: readonly string[]
    /** Where it has any, only these have one. */
    readonly attributeWhitelist: readonly string[]
  }
}

type Attributes = ReadonlyMap<string, string>
type Pairs = (readonly [string, string])[]

export function discoverCpu(machine: Machine): FeatureSet {
  const { cpuid, architecture } = machine
  const found = new Found('cpu')
  const processor = processorOf(cpuid)
  found.flags('cpuid', processor.flags)
  found.attributes('cpuid', processor.avx10Version > 0 ? [['AVX10_VERSION', String(processor.avx10Version)]] : [])
  found.attributes('model', [
    ['vendor_id', processor.vendor],
    ['family', String(processor.family)],
    ['id', String(processor.model)],
    ['hypervisor', processor.flags.has('HYPERVISOR') ? hypervisorNamed(processor.hypervisor) : 'none'],
  ])
  const isX64 = architecture === 'x64'
  const cstates = isX64 ? idleStates(machine) : []
  if (cstates !== undefined) found.attributes('cstate', cstates)
  found.attributes('pstate', isX64 ? frequencyStates(machine) : [])
  found.attributes('rdt', isX64 ? resources(machine) : [])
  found.attributes('security', isX64 ? security(machine, processor) : [])
  found.attributes('sst', isX64 && hasFastCores(machine) ? [['bf.enabled', 'true']] : [])
  found.attributes('topology', topology(machine))
  found.attributes('coprocessor', [])
  return found.features
}

const withoutLabels = ['tdx.total_keys', 'sgx.epc', 'sev.encrypted_state_ids', 'sev.asids']

export function cpuLabels(features: FeatureSet, { cpuid }: CpuSettings, { tree }: Machine): Labels {
  const labels = new Map<string, string>()
  const take = (feature: string, prefix: string, without: readonly string[] = []) => {
    for (const [name, value] of attributesOf(features, feature))
      if (!without.includes(name)) labels.set(`${prefix}${name}`, value)
  }
  const isLabelled = (flag: string) =>
    cpuid.attributeWhitelist.length > 0 ? cpuid.attributeWhitelist.includes(flag) : !cpuid.attributeBlacklist.includes(flag)
  for (const flag of features.flags.get('cpu.cpuid') ?? []) if (isLabelled(flag)) labels.set(`cpuid.${flag}`, 'true')
  take('cpu.cpuid', 'cpuid.')
  take('cpu.model', 'model.')
  take('cpu.cstate', 'cstate.')
  take('cpu.pstate', 'pstate.')
  take('cpu.security', 'security.', withoutLabels)
  take('cpu.sst', 'power.sst_')
  const threads = attributesOf(features, 'cpu.topology').get('hardware_multithreading')
  if (threads !== undefined) labels.set('hardware_multithreading', threads)
  // Upstream means to write these and looks at a path that is never there.
  for (const kind of coreKinds) if (tree.exists(tree.host(`sys/devices/${kind}/cpus`))) labels.set(kind, 'true')
  return labels
}

/** What all kinds of cores have, by the first of them. */
function processorOf(cpuid: CpuidSource): Processor {
  if (cpuid.kind === 'names') {
    const { flags, vendor, family, model, hypervisor } = cpuid
    const all = new Set(flags)
    if (hypervisor) all.add('HYPERVISOR')
    return { flags: all, vendor, family, model, hypervisor: '', avx10Version: 0 }
  }
  const first = readProcessor(cpuid)
  const others = (cpuid.otherCores ?? []).map(core => processorOf(core).flags)
  return { ...first, flags: new Set([...first.flags].filter(flag => others.every(flags => flags.has(flag)))) }
}

/** @returns `undefined` where it should be there and cannot be read */
function idleStates({ tree, tell }: Machine): Pairs | undefined {
  const directory = tree.host('sys/devices/system/cpu/cpuidle')
  if (!tree.exists(tree.host('sys/devices/system/cpu'))) {
    tell('idle states cannot be looked for', { path: 'sys/devices/system/cpu' })
    return undefined
  }
  if (!tree.exists(directory)) return []
  const driver = tree.text(`${directory}/current_driver`)
  if (driver !== undefined && driver !== 'intel_idle') return []
  const most = wholeNumber(tree.text(tree.host('sys/module/intel_idle/parameters/max_cstate')) ?? '')
  if (driver !== undefined && most !== undefined) return [['enabled', String(most > 0)]]
  tell('idle states cannot be read', { driver })
  return undefined
}

function frequencyStates({ tree, tell }: Machine): Pairs {
  const base = tree.host('sys/devices/system/cpu')
  const directory = `${base}/intel_pstate`
  if (!tree.exists(directory)) return []
  const status = tree.text(`${directory}/status`)
  if (status === undefined) tell('the driver of frequencies says nothing of itself', { path: `${directory}/status` })
  if (status === undefined || status === 'off') return []
  const states: Pairs = [['status', status]]
  const noTurbo = tree.rawText(`${directory}/no_turbo`)
  if (noTurbo !== undefined) states.push(['turbo', String(noTurbo.startsWith('0'))])
  if (status !== 'active') return states
  const governors = new Set(
    (tree.names(`${base}/cpufreq`) ?? []).flatMap(policy => {
      const cpus = tree.text(`${base}/cpufreq/${policy}/affected_cpus`) ?? ''
      return cpus === '' ? [] : (tree.text(`${base}/cpufreq/${policy}/scaling_governor`) ?? [])
    }),
  )
  const [governor = ''] = governors
  if (governors.size === 1 && governor !== '') states.push(['scaling_governor', governor])
  return states
}

/** Caches and bandwidth of memory that can be watched and shared out. */
function resources({ tree, cpuid }: Machine): Pairs {
  if (cpuid.kind === 'names') return []
  const { leaf } = cpuid
  const pairs: Pairs = []
  const { ebx } = leaf(7)
  if (bit(ebx, 12) && bit(leaf(0xf).edx, 1)) {
    const { edx } = leaf(0xf, 1)
    pairs.push(['RDTMON', 'true'])
    if (bit(edx, 0)) pairs.push(['RDTCMT', 'true'])
    if (bit(edx, 1) && bit(edx, 2)) pairs.push(['RDTMBM', 'true'])
  }
  if (!bit(ebx, 15)) return pairs
  const shares = leaf(0x10).ebx
  if (bit(shares, 1)) {
    pairs.push(['RDTL3CA', 'true'])
    const classes = wholeNumber(tree.text(tree.host('sys/fs/resctrl/info/L3/num_closids')) ?? '')
    // One of them is everybody's.
    if (classes !== undefined && classes > 0) pairs.push(['RDTL3CA_NUM_CLOSID', String(classes - 1)])
  }
  if (bit(shares, 2)) pairs.push(['RDTL2CA', 'true'])
  if (bit(shares, 3)) pairs.push(['RDTMBA', 'true'])
  return pairs
}

function security({ tree, cpuid }: Machine, { flags }: Processor): Pairs {
  const pairs: Pairs = []
  const enclaves = cpuid.kind === 'names' ? 0 : enclaveBytes(cpuid, flags)
  if (enclaves > 0) pairs.push(['sgx.enabled', 'true'], ['sgx.epc', String(enclaves)])
  const counted = (name: string, resource: string) => {
    const count = sharedOut(tree, resource)
    if (count !== undefined) pairs.push([name, count])
  }
  if (tree.rawText(tree.host('sys/module/kvm_intel/parameters/tdx')) === 'Y\n') {
    pairs.push(['tdx.enabled', 'true'])
    counted('tdx.total_keys', 'tdx')
  }
  if (flags.has('TDX_GUEST')) pairs.push(['tdx.protected', 'true'])
  const isOn = (parameter: string) => /^[1Y]/.test(tree.rawText(tree.host(`sys/module/kvm_amd/parameters/${parameter}`)) ?? '')
  if (isOn('sev')) {
    pairs.push(['sev.enabled', 'true'])
    counted('sev.asids', 'sev')
  }
  if (isOn('sev_es')) {
    pairs.push(['sev.es.enabled', 'true'])
    counted('sev.encrypted_state_ids', 'sev_es')
  }
  if (isOn('sev_snp')) pairs.push(['sev.snp.enabled', 'true'])
  return pairs
}

/** How much of a resource the control groups of this machine share out. */
function sharedOut(tree: Machine['tree'], resource: string): string | undefined {
  const files = ['sys/fs/cgroup/misc.capacity', 'sys/fs/cgroup/misc/misc.capacity'].map(path => tree.host(path))
  const text = files.map(path => tree.rawText(path)).find(one => one !== undefined)
  const line = text?.split('\n').find(one => one.startsWith(resource))
  const count = line?.split(' ')[1]
  return count !== undefined && /^\d+$/.test(count) ? count : undefined
}

/** Some cores are promised more than the nominal frequency: Speed Select, base frequency. */
function hasFastCores({ tree, cpuid, tell }: Machine): boolean {
  const nominal = cpuid.kind === 'names' ? 0 : cpuid.leaf(0x16).eax
  const directory = tree.host('sys/bus/cpu/devices')
  for (const name of tree.names(directory) ?? []) {
    const text = tree.text(`${directory}/${name}/cpufreq/base_frequency`)
    if (text === undefined) continue
    const frequency = wholeNumber(text)
    if (frequency === undefined || nominal === 0) {
      tell('the frequency of a core cannot be judged', { core: name, frequency: text, nominal })
      return false
    }
    if (Math.trunc(frequency / 1000) > nominal) return true
  }
  return false
}

function topology({ tree, tell }: Machine): Attributes {
  const directory = tree.host('sys/bus/cpu/devices')
  const sockets = new Set<string>()
  /** Threads of one core have the same list of each other. */
  const cores = new Set<string>()
  let hasThreads = false
  const names = tree.names(directory)
  if (names === undefined) {
    tell('processors cannot be listed', { path: directory })
    return new Map()
  }
  for (const name of names) {
    const siblings = tree.rawText(`${directory}/${name}/topology/thread_siblings_list`)
    const socket = tree.text(`${directory}/${name}/topology/physical_package_id`)
    if (siblings === undefined || socket === undefined) {
      tell('the place of a processor cannot be read', { processor: name })
      return new Map()
    }
    if (/[,-]/.test(siblings)) hasThreads = true
    sockets.add(socket)
    cores.add(siblings.trim())
  }
  const kinds = coreKinds
    .filter(kind => tree.exists(tree.host(`sys/devices/${kind}/cpus`)))
    .map(kind => kind.slice('cpu_'.length))
  return new Map([
    ['hardware_multithreading', String(hasThreads)],
    ['socket_count', String(sockets.size)],
    // Ours besides.
    ['logical_count', String(names.length)],
    ['physical_count', String(cores.size)],
    ...(kinds.length === 0 ? [] : [['core_types', kinds.join('-')] as const]),
  ])
}

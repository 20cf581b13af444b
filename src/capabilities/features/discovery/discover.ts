// One look at a machine: what all its sources find, and which labels come of it.

import { messageOf } from '#kube/log.ts'
import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Pattern, parsePattern } from '#kube/values/regex.ts'
import { addFeatures, type FeatureSet, noFeatures } from '../matching/feature-set.ts'
import { featureNamespace } from '../names.ts'
import { cpuLabels, discoverCpu } from './cpu/cpu-source.ts'
import { customLabels } from './custom-source.ts'
import { discoverFake, fakeLabels } from './fake-source.ts'
import { discoverKernel, kernelLabels } from './kernel-source.ts'
import { discoverLocal, localLabels } from './local-source.ts'
import { discoverMemory, memoryLabels } from './memory-source.ts'
import { discoverNetwork, networkLabels } from './network-source.ts'
import { discoverPci, pciLabels } from './pci-source.ts'
import type { Labels, Machine } from './source.ts'
import { discoverStorage, storageLabels } from './storage-source.ts'
import { discoverSystem, systemLabels } from './system-source.ts'
import { discoverUsb, usbLabels } from './usb-source.ts'
import type { WorkerConfig } from './worker-config.ts'
import { workerRules } from './worker-rules.ts'

interface Source {
  readonly name: string
  /** Absent: it only gives labels. @throws Error where it finds nothing to look at */
  readonly discover?: (machine: Machine, config: WorkerConfig) => { readonly features: FeatureSet; readonly expiresMs?: number }
  readonly labels: (features: FeatureSet, config: WorkerConfig, machine: Machine) => Labels
  /** Later ones win where two give one label. */
  readonly priority: number
  /** Its labels stand as they are; those of others get its name in front. */
  readonly isPlain?: boolean
  /** `all` leaves it out. */
  readonly isSpecial?: boolean
}

/** By name, as they look. */
const sources: readonly Source[] = [
  {
    name: 'cpu',
    discover: machine => ({ features: discoverCpu(machine) }),
    labels: (features, config, machine) => cpuLabels(features, config.sources.cpu, machine),
    priority: 0,
  },
  {
    name: 'custom',
    labels: (features, config, machine) => customLabels(features, workerRules(config.sources.custom), machine),
    priority: 10,
    isPlain: true,
  },
  {
    name: 'fake',
    discover: (_machine, config) => ({ features: discoverFake(config.sources.fake) }),
    labels: (_features, config) => fakeLabels(config.sources.fake),
    priority: 0,
    isSpecial: true,
  },
  {
    name: 'kernel',
    discover: (machine, config) => ({ features: discoverKernel(machine, config.sources.kernel) }),
    labels: (features, config) => kernelLabels(features, config.sources.kernel),
    priority: 0,
  },
  { name: 'local', discover: discoverLocal, labels: localLabels, priority: 20, isPlain: true },
  { name: 'memory', discover: machine => ({ features: discoverMemory(machine) }), labels: memoryLabels, priority: 0 },
  { name: 'network', discover: machine => ({ features: discoverNetwork(machine) }), labels: networkLabels, priority: 0 },
  {
    name: 'pci',
    discover: machine => ({ features: discoverPci(machine) }),
    labels: (features, config, { tell }) => pciLabels(features, config.sources.pci, tell),
    priority: 0,
  },
  { name: 'storage', discover: machine => ({ features: discoverStorage(machine) }), labels: storageLabels, priority: 0 },
  { name: 'system', discover: machine => ({ features: discoverSystem(machine) }), labels: systemLabels, priority: 0 },
  {
    name: 'usb',
    discover: machine => ({ features: discoverUsb(machine) }),
    labels: (features, config, { tell }) => usbLabels(features, config.sources.usb, tell),
    priority: 0,
  },
]

export interface Discovery {
  /** What is published: all that was found, but for what the configuration keeps back. */
  readonly features: FeatureSet
  readonly labels: ReadonlyMap<string, string>
  /** When a line of a feature file expires next, in milliseconds since 1970. */
  readonly expiresMs?: number
}

/** Looks at `machine` once. A source that fails is told and stops no other. */
export function discover(machine: Machine, config: WorkerConfig): Discovery {
  const features = noFeatures()
  let expiresMs: number | undefined
  for (const { name, discover: look } of chosenSources(config.core.featureSources, machine.tell)) {
    if (look === undefined) continue
    try {
      const found = look(machine, config)
      addFeatures(features, found.features)
      expiresMs = found.expiresMs ?? expiresMs
    } catch (error) {
      machine.tell('a source of features failed', { source: name, why: messageOf(error) })
    }
  }
  const labels = labelsOf(features, config, machine)
  return {
    features: withoutHeldBack(features, config.core.noPublishFeatures, machine.tell),
    labels,
    ...(expiresMs === undefined ? {} : { expiresMs }),
  }
}

/** The sources that a list names; `all` stands for all but special ones, `-name` leaves one out of what stands before it. */
function chosenSources(list: readonly string[], tell: Machine['tell']): readonly Source[] {
  const chosen = new Set<string>()
  for (const entry of list) {
    const name = entry.replace(/^-/, '')
    if (name === 'all') {
      for (const source of sources) if (source.isSpecial !== true) chosen.add(source.name)
    } else if (!sources.some(source => source.name === name))
      tell('there is no such source', { source: name, known: sources.map(source => source.name) })
    else if (entry.startsWith('-')) chosen.delete(name)
    else chosen.add(name)
  }
  return sources.filter(({ name }) => chosen.has(name))
}

function labelsOf(features: FeatureSet, config: WorkerConfig, machine: Machine): ReadonlyMap<string, string> {
  const { core } = config
  const pattern = parsePattern(core.labelWhiteList)
  const labels = new Map<string, string>()
  const chosen = chosenSources(core.sources ?? core.labelSources, machine.tell)
  for (const source of chosen.toSorted((left, right) => left.priority - right.priority))
    for (const [name, value] of source.labels(features, config, machine)) {
      const isWhole = source.isPlain === true || name.includes('/')
      const key = isWhole ? name : `${featureNamespace}/${source.name}-${name}`
      const why = labelProblem(key, value, pattern.ok ? pattern.value : undefined)
      if (why === undefined) labels.set(key, value)
      else machine.tell('a label is left out', { label: key, value, why })
    }
  return labels
}

function labelProblem(key: string, value: string, whiteList: Pattern | undefined): string | undefined {
  const [ofKey] = qualifiedNameProblems(key)
  if (ofKey !== undefined) return `the key ${ofKey}`
  const [ofValue] = labelValueProblems(value)
  if (ofValue !== undefined) return `the value ${ofValue}`
  const slash = key.indexOf('/')
  return whiteList === undefined || whiteList.isFoundIn(key.slice(slash + 1)) ? undefined : 'it does not match labelWhiteList'
}

/** All features but those of the list: `pci.device`, or what begins so: `kernel.*`. */
function withoutHeldBack(features: FeatureSet, list: readonly string[], tell: Machine['tell']): FeatureSet {
  const matches = (name: string, entry: string) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry)
  const names = [features.flags, features.attributes, features.instances].flatMap(all => [...all.keys()])
  for (const entry of list)
    if (!names.some(name => matches(name, entry))) tell('nothing was found that noPublishFeatures names', { entry })
  const kept = <Value>(all: ReadonlyMap<string, Value>) =>
    new Map([...all].filter(([name]) => !list.some(entry => matches(name, entry))))
  return { flags: kept(features.flags), attributes: kept(features.attributes), instances: kept(features.instances) }
}

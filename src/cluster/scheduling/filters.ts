// All filters together, in the scheduler's order: one verdict for each node. The first filter that refuses a node speaks.

import type { ClusterState } from '../cluster-state.ts'
import type { DeviceObjects } from '../devices/device-objects.ts'
import { devicesFilter, podDevices } from '../devices/pod-devices.ts'
import type { FilterPlugin, SchedulerSettings } from '../scheduler-settings.ts'
import type { NodeLoads } from './node-loads.ts'
import { portsFilter } from './node-ports.ts'
import type { NodeRules } from './node-rules.ts'
import type { NodeTable } from './node-table.ts'
import { type AffinityView, affinityFilter, type NamespaceLabels } from './pod-affinity.ts'
import type { PodClasses } from './pod-classes.ts'
import type { Ask } from './pod-info.ts'
import { type Refusal, refusal } from './refusal.ts'
import { fitFilter } from './resource-fit.ts'
import { type SpreadView, spreadFilter } from './spread-filter.ts'
import type { SpreadRules } from './spread-rules.ts'
import { bindingRefusal, podClaims } from './volume-binding.ts'
import { limitsCheck, restrictionsCheck, zoneCheck } from './volume-limits.ts'
import type { VolumeObjects } from './volume-objects.ts'

/** Everything the filters read. */
export interface FilterView {
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly table: NodeTable
  readonly loads: NodeLoads
  readonly classes: PodClasses
  readonly namespaces: NamespaceLabels
  readonly volumes: VolumeObjects
  readonly devices: DeviceObjects
  readonly rules: NodeRules
  readonly spread: SpreadRules
  readonly ask: Ask
}

export type Filters =
  | { readonly kind: 'nodes'; readonly refusalOf: (node: number) => Refusal | undefined }
  /** No node is looked at: one reason for all. */
  | { readonly kind: 'none'; readonly refusal: Refusal }

type NodeFilter = (node: number) => Refusal | undefined

/** The filters for one pod, prepared: what they need of the whole cluster is worked out here, once. */
export function prepareFilters(view: FilterView): Filters {
  const { pod } = view.ask.info
  const gates = pod.object.spec.schedulingGates ?? []
  if (gates.length > 0) {
    const text = `waiting for scheduling gates: [${gates.map(gate => gate.name).join(' ')}]`
    return { kind: 'none', refusal: refusal('SchedulingGates', text, { isUnresolvable: true }) }
  }
  if (view.rules.conflict !== undefined) return { kind: 'none', refusal: view.rules.conflict }
  const isOn = (filter: FilterPlugin) => !view.settings.disabledFilters.includes(filter)
  const filters: NodeFilter[] = []
  const use = (filter: NodeFilter | undefined) => {
    if (filter !== undefined) filters.push(filter)
  }
  const { table, loads } = view
  use(node => view.rules.refusals[node])
  if (isOn('NodePorts')) use(portsFilter(loads, view.ask.info.hostPorts))
  if (isOn('NodeResourcesFit')) use(fitFilter(table, loads, view.ask, view.settings))
  if (view.ask.info.hasVolumes) {
    const volumes = volumeFilters(view, isOn)
    if (volumes.kind === 'none') return volumes
    for (const filter of volumes.filters) use(filter)
  }
  if (isOn('PodTopologySpread')) use(spreadFilter(spreadView(view), view.spread.hard))
  if (isOn('InterPodAffinity')) use(affinityFilter(affinityView(view)))
  const claims = podDevices(view.devices, pod, view.settings.version)
  if (claims?.kind === 'refused') return { kind: 'none', refusal: claims.refusal }
  if (claims !== undefined) {
    const filter = devicesFilter(view.devices, claims.claims, view.settings.version)
    use(index => {
      const node = table.nodes[index]
      return node === undefined ? undefined : filter(node)
    })
  }
  return {
    kind: 'nodes',
    refusalOf: node => {
      for (const filter of filters) {
        const found = filter(node)
        if (found !== undefined) return found
      }
      return undefined
    },
  }
}

type VolumeFilters = { readonly kind: 'filters'; readonly filters: readonly NodeFilter[] } | Extract<Filters, { kind: 'none' }>

function volumeFilters(view: FilterView, isOn: (filter: FilterPlugin) => boolean): VolumeFilters {
  const { volumes, loads, table } = view
  const { pod } = view.ask.info
  const filters: NodeFilter[] = []
  const restrictions = isOn('VolumeRestrictions') ? restrictionsCheck(volumes, loads, pod) : undefined
  if (restrictions?.kind === 'refused') return { kind: 'none', refusal: restrictions.refusal }
  if (restrictions !== undefined) filters.push(restrictions.filter)
  const limits = isOn('NodeVolumeLimits') ? limitsCheck(volumes, loads, pod, table.nodes) : undefined
  if (limits !== undefined) filters.push(limits)
  const claims = isOn('VolumeBinding') ? podClaims(volumes, pod) : undefined
  if (claims?.kind === 'refused') return { kind: 'none', refusal: claims.refusal }
  if (claims !== undefined) {
    filters.push(index => {
      const node = table.nodes[index]
      return node === undefined ? undefined : bindingRefusal(volumes, claims.claims, node)
    })
  }
  const zones = isOn('VolumeZone') ? zoneCheck(volumes, pod, table.nodes) : undefined
  if (zones?.kind === 'refused') return { kind: 'none', refusal: zones.refusal }
  if (zones !== undefined) filters.push(zones.filter)
  return { kind: 'filters', filters }
}

/** The part of the view that topology spread reads. */
export function spreadView(view: FilterView): SpreadView {
  return { table: view.table, loads: view.loads, classes: view.classes, rules: view.rules, pod: view.ask.info.pod }
}

/** The part of the view that pod affinity reads. */
export function affinityView(view: FilterView): AffinityView {
  const { table, loads, classes, namespaces } = view
  return { table, loads, classes, namespaces, incoming: view.ask.info.podClass }
}

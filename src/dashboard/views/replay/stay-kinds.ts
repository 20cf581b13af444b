// What may be done with a pod that stays, by the reason for which it stays: something may permit it, or nothing can.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StayCode } from '#planning/plan-record.ts'
import type { TileKind } from '../../contract-replay.ts'

const kinds: Readonly<Record<StayCode, 'held' | 'pinned'>> = {
  Core: 'held',
  Excepted: 'held',
  KedaNotAtZero: 'held',
  NamespaceExcluded: 'held',
  OutOfScope: 'held',
  NodeOutOfScope: 'held',
  Unlabelled: 'held',
  KedaManaged: 'held',
  OwnerNone: 'held',
  DaemonSet: 'pinned',
  Mirror: 'pinned',
  Static: 'pinned',
  Critical: 'pinned',
  Terminating: 'pinned',
  NoOwner: 'pinned',
  LocalStorage: 'pinned',
  ResourceClaims: 'pinned',
  DoNotDisrupt: 'held',
  NotSafeToEvict: 'held',
  JobOwned: 'pinned',
  Frozen: 'held',
  SourceLeaving: 'pinned',
  NoPDB: 'held',
  PDBNeverAllows: 'held',
  PDBExhausted: 'held',
  SingleReplica: 'held',
  Quarantined: 'held',
  CoolingDown: 'held',
  JustScaled: 'held',
  UnderWay: 'held',
  Waking: 'held',
  WindowClosed: 'held',
  CapReached: 'held',
  ArbiterDenies: 'held',
  VolumePinned: 'pinned',
  NodeAffinityPinned: 'pinned',
  RecentlyMoved: 'held',
  UsageUnknown: 'held',
  NoFeasibleNode: 'pinned',
  NoSafeOrder: 'pinned',
  LandsElsewhere: 'held',
}

/**
 * `reason` as a plan keeps it, `VolumePinned:nexus-local`. One that planning does not know is the arbiter's: a rule. The first reason is not the
 * last: a pod of a DaemonSet, and one that a kubelet runs from a file, stay whatever permits them.
 */
export function kindOfStay(reason: string, pod: PodState): Extract<TileKind, 'held' | 'pinned'> {
  if (pod.workload?.kind === 'DaemonSet' || isFromFile(pod)) return 'pinned'
  const [code = ''] = reason.split(':')
  return Object.hasOwn(kinds, code) ? kinds[code as StayCode] : 'held'
}

function isFromFile({ object: { metadata } }: PodState): boolean {
  const { annotations = {} } = metadata
  return (
    annotations['kubernetes.io/config.mirror'] !== undefined || (annotations['kubernetes.io/config.source'] ?? 'api') !== 'api'
  )
}

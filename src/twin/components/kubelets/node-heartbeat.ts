// What keeps a node in the cluster: its Lease every 10 s and its status every 5 minutes, for nodes that are alive.
import type { Condition, Node } from '#kube/objects/objects.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import { conditionOf, microTimeText, timeText } from '../workloads/pod-state.ts'
import type { Kubelets } from './kubelet.ts'

const leaseNamespace = 'kube-node-lease'
const leaseSeconds = 40
const leasePeriodMs = 10_000
const statusPeriodMs = 300_000
/** Above this many lease writes a second the period is stretched. */
const leaseWritesPerSecond = 50
const reportedImages = 50

export type HeartbeatMode = 'auto' | 'exact' | 'off'

export function startHeartbeats(context: ComponentContext, kubelets: Kubelets, mode: HeartbeatMode): void {
  const { view, loop } = context
  let count = view.list('nodes').length
  const period = () => (mode === 'exact' ? leasePeriodMs : Math.max(leasePeriodMs, (count / leaseWritesPerSecond) * 1000))
  const leases = loop.queue('node-lease', name => {
    const node = view.get('nodes', undefined, name)
    if (node === undefined) return
    leases.addPeriodic(name, period())
    if (kubelets.isAlive(name)) renewLease(context, node)
  })
  const statuses = loop.queue('node-status', name => {
    const node = view.get('nodes', undefined, name)
    if (node === undefined) return
    statuses.addPeriodic(name, statusPeriodMs)
    if (kubelets.isAlive(name)) reportStatus(context, kubelets, node)
  })
  const join = (name: string, index: number, total: number) => {
    if (mode !== 'off') leases.addPeriodic(name, (period() * index) / Math.max(1, total))
    statuses.addPeriodic(name, (statusPeriodMs * (index + 1)) / Math.max(1, total))
  }
  const total = count
  let index = 0
  view.each('nodes', node => {
    join(node.metadata.name, index++, total)
    // A node that is in the cluster has said its addresses, and has a Lease, since it joined; a snapshot may come without.
    if ((node.status?.addresses ?? []).length === 0) statuses.add(node.metadata.name)
    if (mode !== 'off' && kubelets.isAlive(node.metadata.name) && leaseOf(context, node) === undefined) renewLease(context, node)
  })
  view.on('nodes', ({ type, object, previous }) => {
    const name = object.metadata.name
    if (type === 'ADDED') {
      count++
      join(name, 0, 1)
      statuses.add(name)
    } else if (type === 'DELETED') {
      count--
      leases.remove(name)
      statuses.remove(name)
    } else if (
      readyOf(object) === 'Unknown' &&
      previous !== undefined &&
      readyOf(previous) !== 'Unknown' &&
      kubelets.isAlive(name)
    ) {
      statuses.add(name)
    }
  })
}

/** A node that came back reports at once. */
export function reportNow(context: ComponentContext, kubelets: Kubelets, name: string): void {
  const node = context.view.get('nodes', undefined, name)
  if (node === undefined || !kubelets.isAlive(name)) return
  renewLease(context, node)
  reportStatus(context, kubelets, node)
}

function readyOf(node: Node): string | undefined {
  return conditionOf(node.status?.conditions, 'Ready')?.status
}

function leaseOf({ view }: ComponentContext, node: Node) {
  return view.get('leases.coordination.k8s.io', leaseNamespace, node.metadata.name)
}

function renewLease(context: ComponentContext, node: Node): void {
  const { access, view, clock } = context
  const name = node.metadata.name
  const writer = kubeletWriter(name)
  const now = microTimeText(clock.now())
  const lease = leaseOf(context, node)
  if (lease !== undefined) {
    access.update('leases.coordination.k8s.io', { ...lease, spec: { ...lease.spec, renewTime: now } }, writer)
    return
  }
  // The namespace is made by the API server; until then there is nowhere to beat.
  if (view.get('namespaces', undefined, leaseNamespace) === undefined) return
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid ?? '' }
  const made = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: leaseNamespace, ownerReferences: [owner] },
    spec: { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime: now },
  }
  try {
    access.create('leases.coordination.k8s.io', made, writer)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

const healthy: readonly Condition[] = [
  {
    type: 'MemoryPressure',
    status: 'False',
    reason: 'KubeletHasSufficientMemory',
    message: 'kubelet has sufficient memory available',
  },
  { type: 'DiskPressure', status: 'False', reason: 'KubeletHasNoDiskPressure', message: 'kubelet has no disk pressure' },
  { type: 'PIDPressure', status: 'False', reason: 'KubeletHasSufficientPID', message: 'kubelet has sufficient PID available' },
  { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
]

function reportStatus({ access, clock }: ComponentContext, kubelets: Kubelets, node: Node): void {
  const now = timeText(clock.now())
  const before = node.status?.conditions ?? []
  const others = before.filter(condition => !healthy.some(own => own.type === condition.type))
  const own = healthy.map(good => {
    const condition = kubelets.trouble.conditionOf(node.metadata.name, good.type) ?? good
    const old = conditionOf(before, condition.type)
    const isSame = old?.status === condition.status
    const text = isSame && condition === good ? { reason: old.reason ?? '', message: old.message ?? '' } : {}
    return { ...condition, ...text, lastHeartbeatTime: now, lastTransitionTime: isSame ? (old.lastTransitionTime ?? now) : now }
  })
  const allocatable = node.status?.allocatable ?? node.status?.capacity
  const images = withPulled(node, kubelets)
  const { addresses = [] } = node.status ?? {}
  const status = {
    ...node.status,
    ...(allocatable === undefined ? {} : { allocatable }),
    ...(images === undefined ? {} : { images }),
    // A kubelet says its name at least.
    addresses: addresses.length > 0 ? addresses : [{ type: 'Hostname', address: node.metadata.name }],
    conditions: [...others, ...own],
  }
  access.update('nodes', { ...node, status }, kubeletWriter(node.metadata.name), { subresource: 'status' })
}

/** Pulled images join the list of a node that reports images; a snapshot taken without them stays without. */
function withPulled(node: Node, kubelets: Kubelets) {
  const listed = node.status?.images
  if (listed === undefined || listed.length === 0) return listed
  const added = [...kubelets.pulls.pulledOn(node.metadata.name)]
    .filter(([image, bytes]) => bytes > 0 && !listed.some(entry => entry.names?.includes(image)))
    .map(([image, sizeBytes]) => ({ names: [image], sizeBytes }))
  return added.length === 0
    ? listed
    : [...listed, ...added].toSorted((a, b) => Number(b.sizeBytes ?? 0) - Number(a.sizeBytes ?? 0)).slice(0, reportedImages)
}

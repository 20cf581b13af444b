// What upstream's components write into Events and conditions, as far as it is matched: every pattern of the room is here, and its test holds each
// against the literals of upstream's sources and against recorded Events, of each version that is supported.

/** client-go's recorder writes so from the eleventh alike Event within ten minutes: one Event then stands for all, and names the last. */
const combined = /^\(combined from similar events\): /

/** Whether the Event stands for several, of which it names only the last. */
export function isCombined(note: string): boolean {
  return combined.test(note)
}

/** The pod that a controller says it deleted (`SuccessfulDelete`). The StatefulSet's writes `delete Pod` to 1.34 and `Delete Pod` since. */
export function deletedPodIn(note: string): string | undefined {
  return /^(?:Deleted pod:|[Dd]elete Pod) (\S+)/.exec(note.replace(combined, ''))?.[1]
}

interface SizedSet {
  readonly set: string
  readonly from: number
  readonly to: number
}

/** The ReplicaSet that a Deployment's controller says it sized (`ScalingReplicaSet`). */
export function sizedSetIn(note: string): SizedSet | undefined {
  const [, set, from, to] = /^Scaled (?:up|down) replica set (\S+) from (\d+) to (\d+)$/.exec(note.replace(combined, '')) ?? []
  return set === undefined ? undefined : { set, from: Number(from), to: Number(to) }
}

/** Whether the taint manager says that it leaves the pod after all: it writes so under the reason by which it takes others. */
export function isCalledOff(note: string): boolean {
  return /^Cancelling deletion of Pod /.test(note.replace(combined, ''))
}

/** `kubelet (memory pressure)`: the kubelet says in its message what it ran short of. */
export function kubeletWords(note: string): string {
  const text = note.toLowerCase()
  if (text.includes('low on resource: memory')) return 'kubelet (memory pressure)'
  if (text.includes('low on resource: ephemeral-storage') || text.includes('ephemeral')) return 'kubelet (disk pressure)'
  if (text.includes('low on resource: inodes')) return 'kubelet (disk pressure)'
  if (text.includes('low on resource: pids')) return 'kubelet (PID pressure)'
  if (text.includes('shutdown')) return 'kubelet (node shutdown)'
  if (text.includes('critical pod') || text.includes('preempt')) return 'kubelet (preemption by a critical pod)'
  return 'kubelet'
}

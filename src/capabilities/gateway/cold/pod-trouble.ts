// What keeps a pod from becoming ready, in a word and a sentence. Pure.
import type { ContainerStatus, Pod } from '#kube/objects/objects.ts'

export interface Trouble {
  /** One word, as Kubernetes says it: `ImagePullBackOff`. */
  readonly reason: string
  readonly sentence: string
}

/** Characters of a text of the cluster that are told. */
const longest = 240

/** A text of the cluster in one line that is not too long. */
export function shortened(text: string): string {
  // Control characters would break lines, or turn around what is written.
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()
  if (line.length <= longest) return line
  return `${line.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** Waiting for one of these is no trouble. */
const usual: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing'])

/** What is wrong with a pod; undefined: nothing that it says. */
export function podTrouble(pod: Pod): Trouble | undefined {
  const { status, spec } = pod
  if (status?.phase === 'Failed')
    return {
      reason: shortened(status.reason || 'Failed'),
      sentence: `the pod has failed${because(status.message ?? status.reason)}`,
    }
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (!spec.nodeName && scheduled?.status === 'False') {
    const { reason = 'Unschedulable', message } = scheduled
    const isGated = reason === 'SchedulingGated'
    const what = isGated ? `the pod is kept from nodes by a gate${gatesOf(pod)}` : `no node takes the pod${because(message)}`
    return { reason: shortened(reason), sentence: what }
  }
  for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const found = containerTrouble(container)
    if (found !== undefined) return found
  }
  return undefined
}

function gatesOf({ spec }: Pod): string {
  const names = (spec.schedulingGates ?? []).map(({ name }) => name)
  return names.length === 0 ? '' : `: ${shortened(names.join(', '))}`
}

function containerTrouble(status: ContainerStatus): Trouble | undefined {
  const { name, image, state } = status
  const ended = state?.terminated
  if (ended !== undefined && ended.exitCode !== 0 && ended.exitCode !== undefined)
    return {
      reason: shortened(ended.reason || 'Error'),
      sentence: `container ${name} ended with exit code ${ended.exitCode}${inWords(ended.reason)}`,
    }
  const reason = state?.waiting?.reason ?? ''
  if (usual.has(reason)) return undefined
  const message = state?.waiting?.message
  if (reason === 'CrashLoopBackOff') return { reason, sentence: crashSentence(status) }
  if (/image|registry|signature/i.test(reason))
    return { reason: shortened(reason), sentence: `image ${shortened(image ?? '')} cannot be pulled${because(message)}` }
  return { reason: shortened(reason), sentence: `container ${name} cannot start${because(message || reason)}` }
}

function crashSentence({ name, restartCount = 0, ...rest }: ContainerStatus): string {
  // Not among the fields that the rest of the program reads.
  const last: ContainerStatus['state'] = 'lastState' in rest ? (rest.lastState as ContainerStatus['state']) : undefined
  const ended = last?.terminated
  const times = restartCount === 1 ? 'once' : `${restartCount} times`
  const how = ended?.exitCode === undefined ? '' : `, last with exit code ${ended.exitCode}${inWords(ended.reason)}`
  return `container ${name} has ended ${times}${how}`
}

/** ` (OOMKilled)`; what says nothing is left away. */
function inWords(reason: string | undefined): string {
  return reason === undefined || reason === '' || reason === 'Error' ? '' : ` (${shortened(reason)})`
}

function because(message: string | undefined): string {
  return message === undefined || message.trim() === '' ? '' : `: ${shortened(message)}`
}

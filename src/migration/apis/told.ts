// What callers of an API are told, and what each pod of ours could tell them: looked at before and after they are led from one to the other.
import { processPorts } from '#coordination/part-hosts.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { ApiPart, Served } from '#upstreams/upstream.ts'
import { shown } from '../both.ts'
import type { Loop } from '../place.ts'
import { listOf } from '../reading.ts'
import type { Swap } from '../step.ts'
import { ledTo, readRegistration } from './registration.ts'

type Counts = Served['counts']

const counted = (counts: Counts): string =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')

/** Are callers answered, with what was measured lately? `section`: how whoever answers is told to measure. */
export async function answered(swap: Swap, part: ApiPart, section: unknown): Promise<Proof> {
  const registration = await readRegistration(swap, part.apiService)
  const available = listAt(registration, 'status', 'conditions').find(one => textAt(one, 'type') === 'Available')
  if (textAt(available, 'status') !== 'True')
    return no(`APIService ${part.apiService} is not available: ${textAt(available, 'message') ?? 'it does not say why'}`)
  const served = await servedNow(swap, part)
  if (served instanceof StatusError) return no(`callers are refused: ${served.message}`)
  const { counts, newestMs } = served
  if (Object.values(counts).some(count => count === 0) || newestMs === undefined)
    return no(`callers are told of ${counted(counts)}`)
  const ageMs = swap.clock.now() - newestMs
  if (ageMs > part.freshMs(section)) return no(`the newest that callers are told of is ${Math.round(ageMs / 1000)} s old`)
  return yes(`${ledTo(registration)} answers: ${counted(counts)}`)
}

async function servedNow(swap: Swap, part: ApiPart): Promise<Served | StatusError> {
  try {
    return await part.served(swap)
  } catch (error) {
    if (error instanceof StatusError) return error
    throw error
  }
}

/** Could each pod of ours tell as much as callers are told now? Where they are told nothing, it is enough that ours has something. */
export async function toldAsMuch(swap: Swap, part: ApiPart, loop: Loop): Promise<Proof> {
  const pods = await readyPods(swap, loop)
  if (pods.length === 0) return no(`no pod of ${shown(loop)} is ready`)
  const served = await servedNow(swap, part)
  const theirs: Counts = served instanceof StatusError ? {} : served.counts
  const told: string[] = []
  for (const pod of pods) {
    const own = await measuredBy(swap, part, pod)
    if (typeof own === 'string') return no(`${pod.metadata.name} ${own}`)
    const fewer = Object.entries(own).find(([what, count]) => count < Math.max(1, theirs[what] ?? 1))
    if (fewer !== undefined)
      return no(`${pod.metadata.name} has ${counted(own)}, callers are told of ${counted(theirs) || 'nothing'}`)
    told.push(`${pod.metadata.name} has ${counted(own)}`)
  }
  return yes(`${told.join('; ')}; callers are told of ${counted(theirs) || 'nothing'} now`)
}

async function readyPods({ api, signal }: Swap, { namespace, workload }: Loop): Promise<readonly KubeObject[]> {
  const wanted = Object.entries(Object(at(workload, 'spec', 'selector', 'matchLabels')))
  const pods = await listOf(api, builtIn.pods, 'Pod', { signal, namespace })
  return pods.filter(
    pod =>
      wanted.every(([key, value]) => pod.metadata.labels?.[key] === value) &&
      pod.metadata.deletionTimestamp === undefined &&
      listAt(pod, 'status', 'conditions').some(one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True'),
  )
}

const { health: healthPort } = processPorts

/** In words where it does not say. The API server asks the pod for us. */
async function measuredBy({ api, signal }: Swap, part: ApiPart, { metadata }: KubeObject): Promise<Counts | string> {
  const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}:${healthPort}/proxy/readyz`
  try {
    const text = await api.getText(path, { signal, query: { verbose: '' } })
    return part.measured(text) ?? 'does not say yet what it has measured'
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return `could not be asked through the API server (pods/proxy, port ${healthPort}): ${error.message}`
  }
}

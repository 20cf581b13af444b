// What users' objects have of ours that KEDA does not know: on the way back it is named before anything is written.
import type { Clock } from '#kube/clock.ts'
import { at, listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { BackLoss, TimedReads } from '#upstreams/upstream.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { isOurs, scalerKind } from '../scalers/registry.ts'
import { scaledObjectsAndJobs, told } from './keda-obstacles.ts'

export async function lostBack(reads: TimedReads): Promise<BackLoss> {
  const refused: string[] = []
  const lost: string[] = []
  for (const object of await scaledObjectsAndJobs(reads))
    for (const [index, trigger] of listAt(object, 'spec', 'triggers').entries()) {
      const type = textAt(trigger, 'type') ?? ''
      const where = `${shown(object)}: trigger ${index} (${type})`
      if (isOurs(type)) refused.push(`${where} is of a type that KEDA does not know: take the trigger away first`)
      for (const key of await ownKeys(type, trigger, reads.clock)) lost.push(`${where} says ${key}, which KEDA drops`)
    }
  return { refused: told(refused), lost: told(lost) }
}

/** Parameters of ours that say something else than what holds without them. */
async function ownKeys(type: string, trigger: unknown, clock: Clock): Promise<readonly string[]> {
  const metadata = at(trigger, 'metadata')
  if (isOurs(type) || !isTree(metadata)) return []
  using _held = clock.hold()
  const table = (await scalerKind(type))?.parameters ?? {}
  return Object.entries(table).flatMap(([key, { isOurs: isOwn, defaultText }]) => {
    const said = textAt(metadata, key)?.trim() ?? ''
    return isOwn === true && said !== '' && said !== defaultText ? [key] : []
  })
}

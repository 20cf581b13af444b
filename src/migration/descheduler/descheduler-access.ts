// What whoever swaps the descheduler writes: asked of the API server before the first write.
import { builtIn } from '#kube/objects/resource.ts'
import { type Access, missingOf, of, ofObject } from '../access.ts'
import type { SwapCore } from '../step.ts'
import { installed } from './descheduler-install.ts'
import { isKept } from './descheduler-kept.ts'
import { type DeschedulerSituation, type Loop, readDeschedulerSituation } from './descheduler-situation.ts'

const ofLoop = ({ workload, namespace }: Loop): Access =>
  of(workload.kind === 'CronJob' ? builtIn.cronjobs : builtIn.deployments, namespace, 'patch')

/** What is missing, and the commands that grant it; `undefined`: nothing is. @throws StepFailed for values that our chart would refuse */
export async function missingForDescheduler(swap: SwapCore, towards: 'forth' | 'back'): Promise<string | undefined> {
  const situation = await readDeschedulerSituation(swap)
  return missingOf(swap, towards === 'forth' ? neededForth(swap, situation) : neededBack(swap, situation))
}

function neededForth(swap: SwapCore, { upstreams, ours }: DeschedulerSituation): readonly Access[] {
  const [upstream] = upstreams
  if (upstream === undefined) return []
  const { owner, converted, objects } = upstream
  const release = owner?.by === 'helm' ? ['list', ...(swap.forgetRelease ? ['delete'] : [])] : []
  return [
    ...(isKept(ours)
      ? [ofLoop(ours.loop)]
      : installed(converted.values, ours).flatMap(object => ofObject(object, 'create', 'patch'))),
    ofLoop(upstream),
    ...objects.flatMap(object => ofObject(object, 'delete')),
    ...release.map(verb => of(builtIn.secrets, owner?.namespace, verb)),
  ]
}

function neededBack({ record }: SwapCore, { upstreams, ours }: DeschedulerSituation): readonly Access[] {
  const kept = record.saved?.removed ?? []
  return [
    ...(ours?.loop === undefined ? [] : [ofLoop(ours.loop)]),
    ...kept.flatMap(object => ofObject(object, 'create')),
    ...upstreams.map(ofLoop),
    ...kept.filter(({ kind }) => kind === 'Deployment' || kind === 'CronJob').flatMap(object => ofObject(object, 'patch')),
  ]
}

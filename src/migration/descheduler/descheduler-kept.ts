// Ours that is there before a swap, with settings of its own: it is kept as it is and only put to sleep and woken, or it is in the way. Nothing
// that others than a swap have written is overwritten.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { toldDifferently } from '#upstreams/descheduler/descheduler-told.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import { installed } from './descheduler-install.ts'
import { isMadeBySwap } from './descheduler-own.ts'
import type { DeschedulerSituation, OwnDescheduler, OwnLoop } from './descheduler-situation.ts'
import { shown, theUpstream, toldOf } from './descheduler-swap.ts'

/** Somebody has made it, or changed it since a swap made it. */
export const isKept = (ours: OwnDescheduler | undefined): ours is OwnDescheduler & { readonly loop: OwnLoop } =>
  ours?.loop !== undefined && !ours.isOfSwap

/** Why ours that is there already cannot take upstream's place as it is, with what to do; `undefined`: it can, or nothing is there. */
export function inTheWay(situation: DeschedulerSituation): string | undefined {
  const { ours, left } = situation
  if (ours === undefined) return leftOver(situation, left)
  const { loop, more, configMap } = ours
  if (loop !== undefined && more.length > 0)
    return `Ballast's descheduler is there more than once (${[loop, ...more.map(placed)].map(shown).join(', ')}): delete all but one`
  if (loop === undefined) return leftOver(situation, configMap === undefined ? [] : [configMap])
  const upstream = theUpstream(situation)
  const differences = toldDifferently(toldOf(upstream, upstream.policy), toldOf(loop, loop.policy))
  // A swap tells its own anew, but no CronJob becomes a Deployment.
  if (differences.length === 0 || (ours.isOfSwap && loop.workload.kind === upstream.workload.kind)) return undefined
  return `${shown(loop)} is there already and is told otherwise than ${shown(upstream)}: ${differences.join('; ')}. Nothing of it is overwritten: give it what upstream is told, in the values that it is installed by (\`ballast migrate values --from descheduler\` prints them), or delete it, and it is installed by what upstream is told: ${deletion(ours)}`
}

const placed = (workload: KubeObject) => ({
  workload,
  namespace: workload.metadata.namespace ?? 'default',
  name: workload.metadata.name,
})

const deletion = ({ namespace }: OwnDescheduler) =>
  `kubectl -n ${namespace} delete deployment,cronjob,configmap -l app.kubernetes.io/part-of=ballast,app.kubernetes.io/component=descheduler`

/** ConfigMaps of somebody's, without the workload that reads them. */
function leftOver(situation: DeschedulerSituation, left: readonly KubeObject[]): string | undefined {
  const foreign = left.filter(configMap => !isMadeBySwap(configMap))
  if (foreign.length === 0) return undefined
  const wanted = installed(theUpstream(situation).converted.values, situation.ours)
  const said = foreign.flatMap(configMap => {
    const { name, namespace } = configMap.metadata
    const one = wanted.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)
    const different = dataKeys(one).filter(key => !isDeepStrictEqual(yamlAt(one, key), yamlAt(configMap, key)))
    if (different.length === 0) return []
    return [
      `ConfigMap ${namespace}/${name} is there already, of somebody, and says otherwise in ${different.join(', ')}. It is not overwritten: install Ballast by your own values first, or, if nobody needs it, delete it: kubectl -n ${namespace} delete configmap ${name}`,
    ]
  })
  return said.length === 0 ? undefined : said.join('; ')
}

const dataKeys = (object: KubeObject | undefined): readonly string[] =>
  isTree(object?.['data']) ? Object.keys(object['data']) : []

function yamlAt(object: KubeObject | undefined, key: string): unknown {
  const text = valueAt(object, ['data', key])
  const document = parseDocument(typeof text === 'string' ? text : '', { prettyErrors: false })
  return document.errors.length > 0 ? text : document.toJS({ maxAliasCount: 100 })
}

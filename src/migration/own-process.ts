// Ours as a process beside the controller, by upstream's own settings. One that is there with settings of its own is kept as it is and only put
// to sleep and woken, or it is in the way: nothing that others than a swap have written is overwritten.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import { numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { no, yes } from '#upstreams/proof.ts'
import type { ProcessPart } from '#upstreams/upstream.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import { ofObject } from './access.ts'
import { lookedAt, named, shown, theOurs, theOwnLoop } from './both.ts'
import {
  keepBefore,
  loopSleeps,
  loopWorks,
  ofLoop,
  putToSleep,
  replicasBefore,
  scaleLoop,
  sleepCommand,
  wakeCommand,
} from './loops.ts'
import { isMadeBySwap } from './own-made.ts'
import { asHelmTakes, isRight, newInstallation, ofSameImage, withValues } from './own-objects.ts'
import type { OwnSide } from './own-side.ts'
import type { Loop, Ours, Theirs, Whole } from './place.ts'
import { listOf } from './reading.ts'
import { fullName, ownName, readSituation } from './situation.ts'
import { StepFailed, type Swap } from './step.ts'
import { applyAll, missingRights, sleeping } from './writes.ts'

type Kept = Ours & { readonly loop: Loop }

export function ownProcess(part: ProcessPart): OwnSide {
  const { component } = part
  const label = 'app.kubernetes.io/component'
  const ownNamed = (theirs: Loop, ours: Ours | undefined) => ({
    workload: ours?.loop?.workload ?? theirs.workload,
    name: ours?.loop?.name ?? ownName(ours?.controller, component),
    namespace: ours?.namespace ?? ballastNamespace,
  })

  /** Somebody has made it, or changed it since a swap made it. */
  const isKept = (ours: Ours | undefined): ours is Kept => ours?.loop !== undefined && !ours.isOfSwap

  /** No pods of it until it is switched on. */
  const asleep = (object: KubeObject): KubeObject => {
    const sleep = sleeping[object.kind]
    if (sleep === undefined || object.metadata.labels?.[label] !== component) return object
    return { ...object, spec: { ...Object(object['spec']), ...sleep } }
  }
  const wanted = (ours: Ours | undefined, { converted }: Whole): readonly KubeObject[] => {
    if (ours === undefined) return newInstallation(converted.values).map(asleep)
    return withValues(ours, converted.values)
      .filter(({ metadata }) => metadata.labels?.[label] === component)
      .map(object => asHelmTakes(ofSameImage(asleep(object), ours.controller), ours.controller))
  }

  const differences = ({ loop, ownMap }: Kept, theirs: Theirs, whole: Whole) =>
    part.differences({ workload: theirs.workload, configMap: whole.configMap }, { workload: loop.workload, configMap: ownMap })

  /** Rights that are lacking: of a process that is kept as it is by what it is told, else by what a swap installs; `undefined`: none. */
  const lackingRights = async (swap: Swap, ours: Ours | undefined, whole: Whole): Promise<string | undefined> => {
    if (!isKept(ours)) {
      const lacking = await missingRights(swap, wanted(ours, whole).filter(isRight))
      return lacking === undefined ? undefined : `${lacking} is not as the ${component} needs it`
    }
    const { capability } = swap.upstream
    const found = (await lookedAt(swap)).filter(one => one.id === 'rbac-missing' && one.capability === capability)
    return found.length === 0 ? undefined : found.map(({ object, message, fix }) => `${object} ${message}: ${fix}`).join('; ')
  }

  /** ConfigMaps of somebody's, without the workload that reads them. */
  const leftOver = (ours: Ours | undefined, whole: Whole, left: readonly KubeObject[]): string | undefined => {
    const foreign = left.filter(configMap => !isMadeBySwap(configMap))
    const objects = foreign.length === 0 ? [] : wanted(ours, whole)
    const said = foreign.flatMap(configMap => {
      const { name, namespace } = configMap.metadata
      const one = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)
      const different = dataKeys(one).filter(key => !isDeepStrictEqual(yamlAt(one, key), yamlAt(configMap, key)))
      if (different.length === 0) return []
      return [
        `ConfigMap ${namespace}/${name} is there already, of somebody, and says otherwise in ${different.join(', ')}. It is not overwritten: install Ballast by your own values first, or, if nobody needs it, delete it: kubectl -n ${namespace} delete configmap ${name}`,
      ]
    })
    return said.length === 0 ? undefined : said.join('; ')
  }

  const side: OwnSide = {
    committed: { on: 'the values of ballast migrate values', off: `${component}.enabled: false` },
    async obstacle(swap, { situation: { ours }, theirs, whole }) {
      const { api, signal, upstream } = swap
      if (ours === undefined)
        return leftOver(ours, whole, await listOf(api, builtIn.configmaps, 'ConfigMap', { signal, namespace: ballastNamespace }))
      const { loop, more, namespace } = ours
      if (loop === undefined) return leftOver(ours, whole, ours.ownMap === undefined ? [] : [ours.ownMap])
      if (more.length > 0)
        return `Ballast's ${component} is there more than once (${[loop, ...more].map(shown).join(', ')}): delete all but one`
      const different = differences({ ...ours, loop }, theirs, whole)
      // A swap tells its own anew, but no CronJob becomes a Deployment.
      if (different.length === 0 || (ours.isOfSwap && loop.workload.kind === theirs.workload.kind)) return undefined
      const deletion = `kubectl -n ${namespace} delete deployment,cronjob,configmap -l app.kubernetes.io/part-of=ballast,${label}=${component}`
      return `${shown(loop)} is there already and is told otherwise than ${shown(theirs)}: ${different.join('; ')}. Nothing of it is overwritten: give it what upstream is told, in the values that it is installed by (\`ballast migrate values --from ${upstream.replaced.id}\` prints them), or delete it, and it is installed by what upstream is told: ${deletion}`
    },
    needsToInstall: (_swap, { situation: { ours }, whole }) =>
      isKept(ours) ? [ofLoop(ours.loop)] : wanted(ours, whole).flatMap(object => ofObject(object, 'create', 'patch')),
    needsToSwitch: (_swap, ours) => (ours?.loop === undefined ? [] : [ofLoop(ours.loop)]),
    async install(swap, now) {
      const { whole } = now
      const { ours } = now.situation
      if (now.theirs.replicas === 0 && (ours?.loop?.replicas ?? 0) > 0)
        throw new StepFailed('upstream sleeps and ours is awake: ours is not put to sleep for nothing')
      const obstacle = await side.obstacle(swap, now)
      if (obstacle !== undefined) throw new StepFailed(obstacle)
      if (!isKept(ours)) return applyAll(swap, wanted(ours, whole))
      const lacking = await lackingRights(swap, ours, whole)
      if (lacking !== undefined) throw new StepFailed(lacking)
      if (ours.loop.replicas > 0) await keepBefore(swap, [ours.loop], false)
      await side.sleep(swap)
    },
    async installed(swap, { situation: { ours }, theirs, whole }) {
      if (ours === undefined) return no('the controller is not there')
      const { loop } = ours
      if (loop === undefined) return no(`Ballast's ${component} is not there`)
      // Somebody has switched by hand.
      const isSwitched = loop.replicas > 0 && loopSleeps(theirs).ok
      const sleeps = loopSleeps(loop)
      if (!sleeps.ok && !isSwitched) return sleeps
      const lacking = await lackingRights(swap, ours, whole)
      if (lacking !== undefined) return no(lacking)
      const [different] = differences({ ...ours, loop }, theirs, whole)
      if (different !== undefined) return no(`ours is told otherwise: ${different}`)
      return yes(
        `${shown(loop)} is there, ${isSwitched ? 'awake already while upstream sleeps' : 'asleep'}${isKept(ours) ? ', with all its own settings' : ''}`,
      )
    },
    async compare(_swap, { situation: { ours }, theirs, whole }) {
      // Before it is installed: what it would be told is what upstream's is converted to.
      if (ours?.loop === undefined) return yes('once ours is installed')
      const found = differences({ ...ours, loop: ours.loop }, theirs, whole)
      if (found.length > 0) return no(`told otherwise: ${found.join('; ')}`)
      return yes(`${shown(ours.loop)} is told what ${shown(theirs)} is told`)
    },
    isAsleep: (swap, situation) => loopSleeps(theOwnLoop(swap, situation)),
    isAwake(swap, situation, theirs) {
      const loop = theOwnLoop(swap, situation)
      const isReady = loop.workload.kind === 'CronJob' || (numberAt(loop.workload, 'status', 'readyReplicas') ?? 0) > 0
      const works = loopWorks(loop, situation.leases, theirs)
      return works.ok && !isReady ? no(`no pod of ${shown(loop)} is ready`) : works
    },
    async sleep(swap) {
      const situation = await readSituation(swap)
      if (situation.ours?.loop !== undefined) await putToSleep(swap, now => theOwnLoop(swap, now))
    },
    async wake(swap, theirs) {
      const situation = await readSituation(swap)
      const ours = theOurs(situation)
      const loop = theOwnLoop(swap, situation)
      const kept = ours.isOfSwap ? undefined : swap.record.saved?.replicas[named(loop)]
      // As many as upstream had, but what others made is woken as it was.
      await scaleLoop(swap, loop, kept ?? replicasBefore(swap, theirs))
    },
    awakeLoops: ({ ours }) => (ours?.loop === undefined || ours.loop.replicas === 0 ? [] : [ours.loop]),
    words: {
      installTitle(_swap, ours) {
        if (ours === undefined) return `install Ballast, its ${component} asleep`
        if (isKept(ours)) return `${shown(ours.loop)} is there with settings of its own: keep it as it is, asleep`
        return `Ballast is installed: give it the ${component}, asleep`
      },
      install(_swap, { workload }, ours) {
        if (isKept(ours)) return sleepCommand(ours.loop)
        const asleepBy = workload.kind === 'CronJob' ? `${component}.suspend=true` : `${component}.replicas=0`
        const apply = 'kubectl apply --server-side'
        if (ours === undefined)
          return `ballast manifests -f values.yaml --set namespace.create=true --set ${asleepBy} | ${apply} -f -`
        const name = fullName(ours.controller)
        const names = `-n ${ours.namespace} --release ${ours.release}${name === undefined ? '' : ` --set fullnameOverride=${name}`}`
        // Where an installation is there, only this is applied: all else was made by values that are not here.
        return `ballast manifests -f values.yaml ${names} --set ${asleepBy} | ${apply} --force-conflicts -l ${label}=${component} -f -`
      },
      installUndo(_swap, theirs, ours) {
        if (ours === undefined) return 'ballast uninstall'
        if (isKept(ours)) return ours.loop.replicas === 0 ? '-' : wakeCommand(ours.loop, ours.loop.replicas)
        return `kubectl -n ${ours.namespace} delete ${theirs.workload.kind.toLowerCase()} ${ownName(ours.controller, component)}`
      },
      shadow: (_swap, { workload }) => part.shadowCommand(workload),
      wake: (_swap, theirs, ours) => wakeCommand(ownNamed(theirs, ours), Math.max(1, theirs.replicas)),
      back: (_swap, theirs, ours, wakeTheirs) => `${sleepCommand(ownNamed(theirs, ours))}   # then: ${wakeTheirs}`,
    },
  }
  return side
}

const dataKeys = (object: KubeObject | undefined): readonly string[] =>
  isTree(object?.['data']) ? Object.keys(object['data']) : []

function yamlAt(object: KubeObject | undefined, key: string): unknown {
  const text = valueAt(object, ['data', key])
  const document = parseDocument(typeof text === 'string' ? text : '', { prettyErrors: false })
  return document.errors.length > 0 ? text : document.toJS({ maxAliasCount: 100 })
}

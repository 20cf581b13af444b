// The descheduler to Ballast: the steps for one cluster, in order. At no moment are both awake: between them is a gap in which nobody evicts.
import { examineCluster } from '#doctor/checks.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { sparingWords } from '#upstreams/descheduler/descheduler-policy.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import type { Saved } from '../record.ts'
import { no, type Proof, type SwapCore, yes } from '../step.ts'
import { missingForDescheduler } from './descheduler-access.ts'
import { differences, install, isInstalled, remove, removed, switchedForth, switchForth, switchOver } from './descheduler-acts.ts'
import { convertCommand, installCommand, shadowCommand, sleepCommand, wakeCommand } from './descheduler-commands.ts'
import { installed } from './descheduler-install.ts'
import { inTheWay, isKept } from './descheduler-kept.ts'
import {
  type DeschedulerSituation,
  fullName,
  type Loop,
  type OwnDescheduler,
  type OwnLoop,
  readDeschedulerSituation,
  type UpstreamLoop,
} from './descheduler-situation.ts'
import { type DeschedulerStep, named, shown, startPatienceMs, theOurs, theOwnLoop, theUpstream } from './descheduler-swap.ts'

/** The steps for this very cluster. @throws StepFailed where there is no descheduler, or several */
export function deschedulerStepsForth(situation: DeschedulerSituation, saved: Saved | undefined): readonly DeschedulerStep[] {
  const upstream = shownUpstream(situation, saved)
  const { ours } = situation
  const name = ours?.loop?.name ?? `${ours === undefined ? 'ballast' : (fullName(ours.controller) ?? 'ballast')}-descheduler`
  const own = { ...upstream, name, namespace: ours?.namespace ?? ballastNamespace }
  const kind = upstream.workload.kind.toLowerCase()
  return [
    {
      id: 'check',
      title: `look at ${shown(upstream)} and who owns it`,
      command: 'ballast doctor',
      proof: 'one descheduler, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: check,
    },
    {
      id: 'convert',
      title: 'convert what it is told',
      command: convertCommand(upstream),
      proof: 'every flag, and the policy, has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: async swap => converted(await readDeschedulerSituation(swap), swap),
    },
    {
      id: 'install',
      title: installTitle(ours),
      command: isKept(ours) ? sleepCommand(ours.loop) : installCommand(upstream, ours),
      proof: 'it is there with its rights, is told the same, and has no pods',
      undo: installUndo(ours, own, kind),
      patienceMs: startPatienceMs,
      run: install,
      prove: isInstalled,
    },
    {
      id: 'shadow',
      title: 'compare what both are told; beside it, what both would evict',
      command: shadowCommand(upstream),
      proof: 'the same policy, flags and times',
      undo: '-',
      prove: async swap => shadowed(await readDeschedulerSituation(swap)),
    },
    {
      id: 'switch',
      title: `put ${shown(upstream)} to sleep, wait until its pods have ended, wake ours`,
      command: `${sleepCommand(upstream)}   # wait for its pods, then: ${wakeCommand(own, Math.max(1, upstream.replicas))}`,
      proof: 'nothing of upstream runs, ours does',
      undo: `${sleepCommand(own)}   # then: ${wakeCommand(upstream, Math.max(1, upstream.replicas))}`,
      patienceMs: startPatienceMs,
      run: switchForth,
      prove: async swap => switchedForth(await readDeschedulerSituation(swap)),
      revert: switchOver,
      reverts: ['switch'],
    },
    {
      id: 'remove',
      title: "orphan and delete upstream's objects",
      command: quietly(upstream),
      proof: 'no object of upstream is left',
      undo: 'ballast migrate apply descheduler --back (the objects are kept in ConfigMap ballast-migration-descheduler)',
      ...(upstream.owner?.by === 'helm' ? { forgetsRelease: true } : {}),
      patienceMs: startPatienceMs,
      run: remove,
      prove: async swap => removed(await readDeschedulerSituation(swap)),
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: 'ours is awake and has its rights, upstream is gone',
      undo: '-',
      prove: settled,
    },
  ]
}

function installTitle(ours: OwnDescheduler | undefined): string {
  if (ours === undefined) return 'install Ballast, its descheduler asleep'
  if (isKept(ours)) return `${shown(ours.loop)} is there with settings of its own: keep it as it is, asleep`
  return 'Ballast is installed: give it the descheduler, asleep'
}

function installUndo(ours: OwnDescheduler | undefined, own: Pick<Loop, 'namespace' | 'name'>, kind: string): string {
  if (ours === undefined) return 'ballast uninstall'
  if (isKept(ours)) return ours.loop.replicas === 0 ? '-' : wakeCommand(ours.loop, ours.loop.replicas)
  return `kubectl -n ${own.namespace} delete ${kind} ${own.name}`
}

type Shown = Loop & Pick<UpstreamLoop, 'owner'>

/** What the steps call upstream, also when it is deleted already. */
function shownUpstream(situation: DeschedulerSituation, saved: Saved | undefined): Shown {
  const kept = saved?.removed.find(({ kind }) => kind === 'Deployment' || kind === 'CronJob')
  if (situation.upstreams.length > 0 || kept === undefined) return theUpstream(situation)
  const { namespace = 'default', name } = kept.metadata
  return { workload: kept, namespace, name, replicas: 0, running: 0, owner: undefined }
}

async function check(swap: SwapCore): Promise<Proof> {
  const situation = await readDeschedulerSituation(swap)
  const upstream = theUpstream(situation)
  const live = ownerIsLive(upstream, 'switch', upstream.workload.kind)
  if (live !== undefined) return no(live)
  const { ours } = situation
  if (ours?.owner !== undefined)
    return no(
      `ours is reconciled by ${ours.owner.by} ${ours.owner.name}: what is written here would be undone. Commit it instead: upstream asleep first, then the values of ballast migrate values; or suspend it meanwhile`,
    )
  const obstacle = inTheWay(situation)
  if (obstacle !== undefined) return no(obstacle)
  const missing = await missingForDescheduler(swap, 'forth')
  if (missing !== undefined) return no(missing)
  return yes(
    `${shown(upstream)} is ${upstream.replicas > 0 ? 'awake' : 'asleep'}; ${ours === undefined ? 'Ballast is not installed yet' : `Ballast is in ${ours.namespace}`}`,
  )
}

function converted(situation: DeschedulerSituation, { allowLossy }: SwapCore): Proof {
  const { report, isLossy, values } = theUpstream(situation).converted
  const lost = report.filter(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed')
  const said = `${report.length - lost.length} carried or without loss, ${lost.length} lost`
  if (isLossy && !allowLossy)
    return no(`${said}: ${lost.map(({ from, why = '' }) => `${from} (${why})`).join('; ')}; --allow-lossy goes on without them`)
  // What our chart would refuse is refused here, before anything is written.
  installed(values, situation.ours)
  const sparing = sparingWords(valueAt(values, ['descheduler', 'policy']))
  return yes(sparing === undefined ? said : `${said}; ${sparing}`)
}

/** Before ours is installed: what it would be told is what upstream's is converted to. */
function shadowed(situation: DeschedulerSituation): Proof {
  if (situation.ours?.loop === undefined) return yes('once ours is installed')
  const found = differences(situation)
  if (found.length > 0) return no(`told otherwise: ${found.join('; ')}`)
  return yes(`${shown(theOwnLoop(situation))} is told what ${shown(theUpstream(situation))} is told`)
}

async function settled(swap: SwapCore): Promise<Proof> {
  const { api, capabilities, clock, signal } = swap
  const situation = await readDeschedulerSituation(swap)
  const own: OwnLoop = theOwnLoop(situation)
  if (situation.upstreams.some(({ replicas }) => replicas > 0)) return no('upstream is awake, too')
  if (own.replicas === 0) return no(`${shown(own)} sleeps`)
  theOurs(situation)
  const findings = examineCluster(await liveFacts({ api, capabilities, nowMs: clock.now(), helmSecrets: false, signal }))
  // What else is wrong with Ballast was so before.
  const errors = findings.filter(({ severity, capability }) => severity === 'error' && capability === 'deschedule')
  if (errors.length > 0) return no(errors.map(({ id, object, message }) => `${id}: ${object}: ${message}`).join('; '))
  return yes(`${named(own)} is awake, upstream is gone`)
}

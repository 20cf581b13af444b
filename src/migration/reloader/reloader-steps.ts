// Reloader to Ballast: the steps for one cluster, in order.
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import { examineCluster } from '#doctor/checks.ts'
import type { Finding } from '#doctor/finding.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { missingAccess } from '../access.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import type { Saved } from '../record.ts'
import { guardLeaseName, type OwnState, readSituation, type Situation, type UpstreamState } from '../situation.ts'
import { no, type Proof, type Step, StepFailed, type Swap, situationWhere, yes } from '../step.ts'
import { differences, readTemplates, writtenSince } from '../templates.ts'
import { copiedSecrets, missingVariables } from '../variables.ts'
import {
  applyAll,
  deleteAll,
  deleteSecrets,
  missingRights,
  releaseSecrets,
  restorable,
  scaleTo,
  upstreamObjects,
  withSection,
  writeSection,
} from '../writes.ts'
import { convertedFlags, sectionOf, shadowed } from './shadow.ts'

/** Upstream lets go of its Lease after 15 s at most, pods end within 30 s. */
const switchPatienceMs = 180_000
/** A kubelet brings a changed ConfigMap to its pods within about a minute. */
export const leadPatienceMs = 180_000

/** The one Reloader that is to be replaced. @throws StepFailed where there is none, or several */
export function theUpstream({ upstreams }: Situation): UpstreamState {
  const [one, ...more] = upstreams
  if (one === undefined) throw new StepFailed('no Reloader is installed here')
  if (more.length > 0)
    throw new StepFailed(`${upstreams.length} Reloaders are installed (${upstreams.map(named).join(', ')}): remove all but one`)
  return one
}

export const named = ({ namespace, name }: Pick<UpstreamState, 'namespace' | 'name'>) => `${namespace}/${name}`

export function theOurs({ ours }: Situation): OwnState {
  if (ours === undefined) throw new StepFailed("Ballast's controller is not installed here, or its ConfigMap cannot be read")
  return ours
}

/** What the steps call upstream, also when it is deleted already. */
function shownUpstream(
  situation: Situation,
  saved: Saved | undefined,
): Pick<UpstreamState, 'namespace' | 'name' | 'replicas' | 'owner'> {
  const kept = saved?.removed.find(({ kind }) => kind === 'Deployment')
  if (situation.upstreams.length > 0 || kept === undefined) return theUpstream(situation)
  const { namespace = 'default', name } = kept.metadata
  return { namespace, name, replicas: 0, owner: undefined }
}

/** The steps for this very cluster. @throws StepFailed where there is no Reloader, or several */
export function stepsForth(situation: Situation, saved: Saved | undefined): readonly Step[] {
  const upstream = shownUpstream(situation, saved)
  const place = `-n ${upstream.namespace}`
  const back = `kubectl ${place} scale deployment ${upstream.name} --replicas=${Math.max(1, upstream.replicas)}`
  return [
    {
      id: 'check',
      title: `look at Deployment ${named(upstream)} and who owns it`,
      command: 'ballast doctor',
      proof: 'one Reloader, nothing brings it back, Ballast may be configured here, and you may write what the steps write',
      undo: '-',
      prove: async swap => {
        const now = await readSituation(swap)
        return allowed(checked(now), await missingAccess(swap, now, 'forth'))
      },
    },
    {
      id: 'convert',
      title: 'convert the flags that it runs with',
      command: `kubectl ${place} get deployment ${upstream.name} -o yaml | ballast migrate values --from reloader -`,
      proof: 'every flag has its place (exit 0)',
      undo: '-',
      prove: async swap => converted(convertedFlags(theUpstream(await readSituation(swap))), swap),
    },
    {
      id: 'install',
      title:
        situation.ours === undefined
          ? 'install Ballast with reload off'
          : 'Ballast is installed: give it the settings, with reload off',
      command:
        'ballast manifests -f values.yaml | kubectl apply --server-side -f -   # with capabilities.reload.enabled: false in ConfigMap ballast-config',
      proof: 'the controller is ready, reload is off',
      undo: situation.ours === undefined ? 'ballast uninstall' : '-',
      patienceMs: switchPatienceMs,
      run: install,
      prove: installed,
    },
    {
      id: 'shadow',
      title: 'ours computes what upstream would do',
      command: 'ballast migrate apply reloader --step 4',
      proof: 'for each ConfigMap and Secret both reload the same workloads',
      undo: '-',
      prove: shadowed,
    },
    {
      id: 'switch',
      title: `scale ${named(upstream)} to 0, wait for its Lease, switch reload on`,
      command: `kubectl ${place} scale deployment ${upstream.name} --replicas=0   # then capabilities.reload.enabled: true in ConfigMap ballast-config`,
      proof: `no pod of upstream is left, ours holds Lease ${guardLeaseName} and says that reload runs`,
      undo: `${back}   # after capabilities.reload.enabled: false in ConfigMap ballast-config`,
      patienceMs: leadPatienceMs,
      run: switchForth,
      prove: async swap => switchedForth(await readSituation(swap)),
      revert: switchOver,
      reverts: ['switch'],
    },
    {
      id: 'prove',
      title: 'compare every pod template with what it was before',
      command: 'kubectl get deployments,statefulsets,daemonsets -A',
      proof: 'no roll-out but of workloads whose ConfigMaps or Secrets were written meanwhile',
      undo: 'the switch is put back by itself',
      prove: noRollout,
      revert: switchOver,
      reverts: ['switch', 'prove'],
    },
    {
      id: 'remove',
      title: `orphan and delete upstream's objects`,
      command: quietly(upstream),
      proof: 'no object of upstream is left',
      undo: 'ballast migrate apply reloader --back (the objects are kept in ConfigMap ballast-migration-reloader)',
      ...(upstream.owner?.by === 'helm' ? { forgetsRelease: true } : {}),
      patienceMs: switchPatienceMs,
      run: remove,
      prove: async swap => removed(await readSituation(swap)),
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: 'ours reloads and has its rights, upstream is gone',
      undo: '-',
      prove: settled,
    },
  ]
}

/** As `proof` says, where nothing is missing. */
export function allowed(proof: Proof, missing: string | undefined): Proof {
  return proof.ok && missing !== undefined ? no(missing) : proof
}

function checked(situation: Situation): Proof {
  const upstream = theUpstream(situation)
  const live = ownerIsLive(upstream)
  if (live !== undefined) return no(live)
  const { ours } = situation
  if (ours?.owner !== undefined)
    return no(
      `ours is reconciled by ${ours.owner.by} ${ours.owner.name}: what is written here would be undone. Commit it instead: upstream to 0 replicas first, then capabilities.reload.enabled: true; or suspend it meanwhile`,
    )
  return yes(
    `${named(upstream)} with ${upstream.replicas} ${upstream.replicas === 1 ? 'replica' : 'replicas'}; ${ours === undefined ? 'Ballast is not installed yet' : `Ballast is in ${ours.namespace}`}`,
  )
}

function converted({ report, isLossy }: ConvertedValues, { allowLossy }: Swap): Proof {
  const lost = report.filter(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed')
  const said = `${report.length - lost.length} carried or without loss, ${lost.length} lost`
  if (!isLossy || allowLossy) return yes(said)
  return no(`${said}: ${lost.map(({ from, why = '' }) => `${from} (${why})`).join('; ')}; --allow-lossy goes on without them`)
}

async function install(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  if (theUpstream(situation).replicas === 0)
    throw new StepFailed('upstream is scaled to none: reload is not switched off for nothing')
  const values = convertedFlags(theUpstream(situation))
  if (situation.ours === undefined) {
    const section = { ...sectionOf(values), enabled: true }
    const from = theUpstream(situation).namespace
    const extraObjects = await copiedSecrets(swap, values, { from, to: ballastNamespace })
    const made = swap.installation({ ...values.values, capabilities: { reload: section }, extraObjects })
    await applyAll(swap, made.map(withReloadOff))
    return
  }
  // The rights come first: what is switched on later must not wait for them.
  await applyAll(swap, swap.rights(situation.ours))
  await writeSection(swap, situation.ours, { ...unsaid(sectionOf(values), situation.ours, swap), enabled: false })
}

/** Settings that nobody has made yet: what differs from the default was meant, and the shadow shows what comes of it. */
function unsaid(
  section: Readonly<Record<string, unknown>>,
  { config }: OwnState,
  { capabilities }: Swap,
): Readonly<Record<string, unknown>> {
  const standard: unknown = capabilities.find(({ name }) => name === 'reload')?.config.parse({})
  const isStandard = (key: string) => isDeepStrictEqual(valueAt(config, [key]), valueAt(standard, [key]))
  return Object.fromEntries(Object.entries(section).filter(([key]) => key !== 'enabled' && isStandard(key)))
}

/** Leaves everything for reload in place, with its rights; only the configuration says that it is off yet. */
function withReloadOff(object: KubeObject): KubeObject {
  const data: unknown = object['data']
  const text = valueAt(data, ['config.yaml'])
  // Agents have a file of their own, which says nothing of reload.
  if (object.kind !== 'ConfigMap' || typeof text !== 'string' || valueAt(parse(text), ['capabilities', 'reload']) === undefined)
    return object
  return { ...object, data: { ...Object(data), 'config.yaml': withSection(text, { enabled: false }) } }
}

async function installed(swap: Swap): Promise<Proof> {
  const situation = await readSituation(swap)
  const { ours } = situation
  if (ours === undefined) return no('the controller is not there')
  if (ours.config === undefined)
    return no(`the configuration in ${ours.namespace}/${ours.configMap.metadata.name} is refused: ballast doctor names it`)
  if (ours.isEnabled || ours.isReloading) return no('reload is on')
  const flags = convertedFlags(theUpstream(situation))
  const wanted = unsaid(sectionOf(flags), ours, swap)
  const missing = Object.entries(wanted).filter(([key, value]) => !isDeepStrictEqual(valueAt(ours.config, [key]), value))
  if (missing.length > 0) return no(`settings that upstream has are missing: ${missing.map(([key]) => key).join(', ')}`)
  const variables = missingVariables(flags, ours)
  if (variables.length > 0)
    return no(
      `upstream has variables that the controller has not: ${variables.join(', ')}; put them into controller.extraEnv of Ballast's values (ballast migrate values prints them), and the Secrets that they name into ${ours.namespace}`,
    )
  const lacking = await missingRights(swap, swap.rights(ours))
  if (lacking !== undefined) return no(`${lacking} is not as reload needs it`)
  return ours.isReady ? yes('the controller is ready and has its rights, reload is off') : no('no pod of the controller is ready')
}

/** What the way back needs is written down before anything changes. */
export async function saveBefore(swap: Swap, situation: Situation, isHalfDone: boolean): Promise<void> {
  const { record, api, signal } = swap
  const upstream = theUpstream(situation)
  const known = record.saved?.replicas[named(upstream)]
  // Done again after a crash, it is scaled to 0 already.
  const replicas = { ...record.saved?.replicas, [named(upstream)]: upstream.replicas > 0 ? upstream.replicas : (known ?? 1) }
  const begun = isHalfDone ? record.saved : undefined
  const { hashes, revision } = begun === undefined ? await readTemplates(api, signal) : { ...begun, hashes: begun.templates }
  const removed = record.saved?.removed ?? []
  await record.write({ saved: { replicas, templates: hashes, revision, removed } })
}

async function switchForth(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  const upstream = theUpstream(situation)
  const live = ownerIsLive(upstream)
  if (live !== undefined) throw new StepFailed(live)
  await saveBefore(swap, situation, upstream.replicas === 0)
  await scaleTo(swap, upstream, 0)
  await situationWhere(swap, `the pods of ${named(upstream)} end`, switchPatienceMs, now => {
    const state = theUpstream(now)
    if (state.replicas > 0) throw new StepFailed(`${named(state)} was scaled up again by somebody: find out who, then begin anew`)
    return state.running === 0
  })
  const after = await readSituation(swap)
  await writeSection(swap, theOurs(after), { enabled: true })
}

function switchedForth(situation: Situation): Proof {
  const upstream = theUpstream(situation)
  const ours = theOurs(situation)
  if (upstream.replicas > 0 || upstream.running > 0)
    return no(`${named(upstream)} has ${Math.max(upstream.replicas, upstream.running)} pods`)
  if (!ours.isEnabled) return no('reload is off in our configuration')
  if (!ours.isReloading) return no('the leader does not say yet that reload runs (ConfigMap ballast-status)')
  return yes(`upstream has no pods, ours reloads${holderOf(situation)}`)
}

function holderOf({ lease }: Situation): string {
  const holder = valueAt(lease, ['spec', 'holderIdentity'])
  return typeof holder === 'string' && holder !== '' ? `, Lease held by ${holder}` : ''
}

/** Ours off first, then theirs back: never both. */
export async function switchOver(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  const upstream = theUpstream(situation)
  if (situation.ours !== undefined) {
    await writeSection(swap, situation.ours, { enabled: false })
    await situationWhere(swap, 'ours stops reloading', leadPatienceMs, ({ ours }) => ours?.isReloading !== true)
  }
  const before = swap.record.saved?.replicas[named(upstream)] ?? 1
  await scaleTo(swap, theUpstream(await readSituation(swap)), before)
}

/** No roll-out but what somebody's own write explains. */
export async function noRollout({ api, record, signal }: Swap): Promise<Proof> {
  const { saved } = record
  if (saved === undefined) return yes('no templates were kept from before: nothing to compare')
  const now = await readTemplates(api, signal)
  const { caused, explained } = differences(saved.templates, now, await writtenSince(api, saved.revision, signal))
  const rest = explained.length === 0 ? '' : `; changed by others or by what they read: ${explained.join(', ')}`
  if (caused.length > 0) return no(`the swap rolled out ${caused.join(', ')}${rest}`)
  return yes(`${Object.keys(saved.templates).length} templates, none changed by the swap${rest}`)
}

async function remove(swap: Swap): Promise<void> {
  const { record } = swap
  const situation = await readSituation(swap)
  const [upstream] = situation.upstreams
  if (upstream === undefined) return
  if (upstream.replicas > 0) throw new StepFailed(`${named(upstream)} is scaled up: switch first`)
  const live = ownerIsLive(upstream, 'remove')
  if (live !== undefined) throw new StepFailed(live)
  if (upstream.owner?.by === 'helm') {
    const secrets = await releaseSecrets(swap, upstream.owner.name, upstream.owner.namespace)
    if (secrets.length > 0 && !swap.forgetRelease)
      throw new StepFailed(
        `Helm release ${upstream.owner.name} is known to Helm by ${secrets.length} Secrets in ${upstream.owner.namespace}; --forget-release deletes them, so that no later helm uninstall takes anything with it`,
      )
    await deleteSecrets(swap, secrets)
  }
  const objects = await upstreamObjects(swap, upstream)
  const kept = new Map([...(record.saved?.removed ?? []), ...objects.map(restorable)].map(object => [keyOf(object), object]))
  const { replicas = {}, templates = {}, revision = '' } = record.saved ?? {}
  await record.write({ saved: { replicas, templates, revision, removed: [...kept.values()] } })
  // The Deployment goes last: while it stands, this step finds everything again.
  await deleteAll(swap, objects)
}

const keyOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

function removed({ upstreams }: Situation): Proof {
  return upstreams.length === 0 ? yes('nothing of upstream is left') : no(`${upstreams.map(named).join(', ')} is still there`)
}

async function settled(swap: Swap): Promise<Proof> {
  const { api, capabilities, clock, signal } = swap
  const situation = await readSituation(swap)
  const ours = theOurs(situation)
  if (situation.upstreams.some(({ replicas }) => replicas > 0)) return no('upstream runs, too')
  if (!ours.isReloading) return no('ours does not reload')
  const findings = examineCluster(await liveFacts({ api, capabilities, nowMs: clock.now(), helmSecrets: false, signal }))
  const shownIn = (ones: readonly Finding[]) => ones.map(({ id, object, message }) => `${id}: ${object}: ${message}`).join('; ')
  const errors = findings.filter(
    ({ severity, area, capability }) => severity === 'error' && (area === 'rights' || capability === 'reload'),
  )
  if (errors.length > 0) return no(shownIn(errors))
  // Upstream took no notice of them, either: they are told, and nothing stops for them.
  const told = findings.filter(({ area }) => area === 'reload')
  return yes(`ours reloads${holderOf(situation)}, upstream is gone${told.length === 0 ? '' : `; to look at: ${shownIn(told)}`}`)
}

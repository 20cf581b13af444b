import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { ApiPart } from '#upstreams/upstream.ts'
import { missingOf, of, ofRemoval } from '../access.ts'
import {
  convertCommand,
  doctorStep,
  forgetting,
  liveOwner,
  nowOf,
  placeOfOurs,
  removedProof,
  removeTheirs,
  settled,
  shown,
  shownTheirs,
  theOurs,
  theOwnLoop,
  theTheirs,
} from '../both.ts'
import { keepBefore, loopSleeps, ofLoop, putToSleep, sleepCommand, wakeCommand } from '../loops.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import { readSituation, wholeOf } from '../situation.ts'
import { type Access, all, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { converted, ledElsewhere } from './obstacles.ts'
import { install, installed, missingFiles, needsToInstall, ownRegistration, ownService } from './own-api.ts'
import { apiServices, isLed, leadBack, leadToUs, ledTo, readRegistration } from './registration.ts'
import { answered, toldAsMuch } from './told.ts'
import { wakeTheirs } from './wake-theirs.ts'

/** Images that are pulled, pods that start, a certificate that is made. */
const startPatienceMs = 300_000
/** Two scrapes of a kubelet each minute, and a third that failed. */
const measurePatienceMs = 180_000
/** Callers that are led to ours and get no answer are led back before they miss two scrapes. */
const leadPatienceMs = 20_000
const sleepPatienceMs = 60_000

export const apiForth = (part: ApiPart): Way => ({
  steps: swap => stepsForth(swap, part),
  needs: swap => needsForth(swap, part),
})

async function stepsForth(swap: Swap, part: ApiPart): Promise<readonly Step[]> {
  const { name, replaced } = swap.upstream
  const { id } = replaced
  const situation = await readSituation(swap)
  const theirs = shownTheirs(swap, situation, swap.record.saved)
  const { ours } = situation
  const own = ownService(part, ours)
  const edit = `kubectl edit apiservice ${part.apiService}`
  const again = `ballast migrate apply ${id} --back`
  return [
    {
      id: 'check',
      title: `look at ${shown(theirs)}, who owns it, and where ${part.apiService} leads`,
      command: `kubectl get apiservice ${part.apiService}`,
      proof: `one ${name}, nothing brings it back, callers are led to it, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'convert',
      title: 'convert what it is told',
      command: convertCommand(swap, theirs),
      proof: 'everything has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: now => converted(now, part),
    },
    {
      id: 'install',
      title:
        ours === undefined
          ? `install Ballast with ${swap.upstream.capability} on, beside upstream; ${part.apiService} stays as it is`
          : `Ballast is installed: give it ${swap.upstream.capability} with the settings; ${part.apiService} stays as it is`,
      command: `ballast manifests -f values.yaml | yq 'select(.kind != "APIService")' | kubectl apply --server-side -f -`,
      proof: `${own} is there with its rights and ready`,
      undo:
        ours === undefined
          ? 'ballast uninstall'
          : `capabilities.${swap.upstream.capability}.enabled: false in ConfigMap ballast-config`,
      patienceMs: startPatienceMs,
      run: async now => install(now, part, await nowOf(now)),
      prove: async now => installed(now, part, await nowOf(now)),
    },
    {
      id: 'compare',
      title: 'wait until ours has measured what upstream tells',
      command: `kubectl get --raw '/api/v1/namespaces/${own.split('/')[0]}/pods/<pod>:8081/proxy/readyz?verbose'`,
      proof: 'each pod of ours has at least as much as callers are told now',
      undo: '-',
      patienceMs: measurePatienceMs,
      // Nothing is written: it takes time.
      run: async () => undefined,
      prove: async now => toldAsMuch(now, part, theOwnLoop(now, await readSituation(now))),
    },
    {
      id: 'switch',
      title: `lead callers to ours: ${part.apiService} names Service ${own}, judged by our authority`,
      command: `${edit}   # spec.service: ${own}, spec.caBundle: ca.crt of Secret ballast-apiserver-tls, no insecureSkipTLSVerify`,
      proof: 'it is available, and what callers are told is not empty and of now',
      undo: `${again} (by itself where the proof fails; it is kept in ConfigMap ballast-migration-${id})`,
      patienceMs: leadPatienceMs,
      run: now => lead(now, part),
      prove: now => led(now, part),
      revert: unlead,
      reverts: ['switch'],
    },
    {
      id: 'sleep',
      title: `put ${shown(theirs)} to sleep`,
      command: sleepCommand(theirs),
      proof: 'nothing of upstream runs, and callers are answered',
      undo: `${wakeCommand(theirs, Math.max(1, theirs.replicas))}, then ${again}`,
      patienceMs: sleepPatienceMs,
      run: now => sleep(now, part),
      prove: now => asleep(now, part),
      async revert(now) {
        await wakeTheirs(now)
        await unlead(now)
      },
      reverts: ['switch', 'sleep'],
    },
    {
      id: 'remove',
      title: `orphan and delete upstream's objects; ${part.apiService} is ours and stays`,
      command: quietly(theirs),
      proof: 'no object of upstream is left',
      undo: `${again} (the objects are kept in ConfigMap ballast-migration-${id})`,
      ...forgetting(theirs),
      patienceMs: startPatienceMs,
      run: now => remove(now, part),
      prove: async now => removedProof(await readSituation(now)),
    },
    doctorStep(swap, now => ended(now, part)),
  ]
}

async function checked(swap: Swap, part: ApiPart): Promise<Proof> {
  const now = await nowOf(swap)
  const { situation, theirs } = now
  const obstacle =
    liveOwner(theirs, situation.ours, `the section of ${swap.upstream.capability} with enabled: true, then go on here`) ??
    (await ledElsewhere(swap, part, now)) ??
    (await missingFiles(swap, now)) ??
    (await missingOf(swap, await needsForth(swap, part)))
  if (obstacle !== undefined) return no(obstacle)
  return yes(`${shown(theirs)} is ${theirs.replicas > 0 ? 'awake' : 'asleep'}; ${placeOfOurs(situation.ours)}`)
}

async function lead(swap: Swap, part: ApiPart): Promise<void> {
  const situation = await readSituation(swap)
  const [theirs] = situation.theirs
  const live = theirs === undefined ? undefined : ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  const told = await toldAsMuch(swap, part, theOwnLoop(swap, situation))
  if (!told.ok) throw new StepFailed(`ours cannot answer yet: ${told.said}`)
  await leadToUs(swap, await ownRegistration(swap, part))
}

async function led(swap: Swap, part: ApiPart): Promise<Proof> {
  const { ours } = await readSituation(swap)
  const registration = await readRegistration(swap, part.apiService)
  if (!isLed(registration, await ownRegistration(swap, part)))
    return no(`${part.apiService} leads to ${ledTo(registration) ?? 'nobody'}`)
  return answered(swap, part, ours?.config)
}

/** Callers go where they went before; nobody is left without an answer, since upstream is awake. */
async function unlead(swap: Swap): Promise<void> {
  for (const before of swap.record.saved?.led ?? []) await leadBack(swap, before)
}

async function sleep(swap: Swap, part: ApiPart): Promise<void> {
  const now = await led(swap, part)
  if (!now.ok) throw new StepFailed(`callers are not answered by ours: ${now.said}`)
  const theirs = theTheirs(swap, await readSituation(swap))
  const live = ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  await keepBefore(swap, [theirs], theirs.replicas === 0)
  await putToSleep(swap, situation => theTheirs(swap, situation))
}

async function asleep(swap: Swap, part: ApiPart): Promise<Proof> {
  const theirs = theTheirs(swap, await readSituation(swap))
  return all(loopSleeps(theirs), await led(swap, part))
}

async function remove(swap: Swap, part: ApiPart): Promise<void> {
  const [theirs] = (await readSituation(swap)).theirs
  const now = await led(swap, part)
  if (!now.ok) throw new StepFailed(`callers are not answered by ours: ${now.said}`)
  await removeTheirs(swap, async one => one.replicas === 0, `takes APIService ${part.apiService} with it`)
  const afterwards = theirs === undefined ? undefined : part.afterwards(theirs.workload)
  if (afterwards !== undefined) swap.tell(afterwards)
}

async function ended(swap: Swap, part: ApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  if (situation.theirs.some(({ replicas }) => replicas > 0)) return no('upstream is awake, too')
  theOurs(situation)
  const now = await led(swap, part)
  if (!now.ok) return now
  const workload = swap.record.saved?.removed.find(({ kind }) => kind === 'Deployment')
  const afterwards = workload === undefined ? undefined : part.afterwards(workload)
  return settled(swap, afterwards === undefined ? now.said : `${now.said}; ${afterwards}`)
}

async function needsForth(swap: Swap, part: ApiPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const [theirs] = situation.theirs
  const [namespace = ''] = ownService(part, situation.ours).split('/')
  const always = [
    ...['get', 'create', 'update'].map(verb => of(apiServices, undefined, verb)),
    of({ group: '', version: 'v1', resource: 'secrets' }, namespace, 'get'),
    of({ group: '', version: 'v1', resource: 'pods/proxy' }, namespace, 'get'),
  ]
  if (theirs === undefined) return always
  const whole = await wholeOf(swap, theirs)
  return [
    ...always,
    ...needsToInstall(swap, part, { situation, theirs, whole }),
    ofLoop(theirs),
    ...ofRemoval(swap, theirs, whole),
  ]
}

// Back from ours to upstream's API: upstream is brought back and waked beside ours, callers are led back to it, then ours is switched off.
import { numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { ApiPart } from '#upstreams/upstream.ts'
import { missingOf, of, ofObject } from '../access.ts'
import { restoreStep, theOurs, theTheirs } from '../both.ts'
import { ofLoop, scaleLoop } from '../loops.ts'
import { savedWith } from '../record.ts'
import { readSituation, wholeOf } from '../situation.ts'
import { type Access, all, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { resourceOf, sleeping, writeSection } from '../writes.ts'
import { putBackByOwner } from './obstacles.ts'
import { ownRegistration, ownService } from './own-api.ts'
import { apiServices, isAsBefore, leadBack, leadToUs, ledTo, readRegistration } from './registration.ts'
import { answered } from './told.ts'
import { isReady, wakePatienceMs, wakeTheirs } from './wake-theirs.ts'

const leadPatienceMs = 20_000
const offPatienceMs = 180_000

export const apiBack = (part: ApiPart): Way => ({
  steps: async swap => stepsBack(swap, part),
  needs: swap => needsBack(swap, part),
})

function stepsBack(swap: Swap, part: ApiPart): readonly Step[] {
  const { capability, replaced } = swap.upstream
  return [
    {
      id: 'check',
      title: `look at what ${replaced.swap.does} now`,
      command: `kubectl get apiservice ${part.apiService}`,
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checkedBack(now, part),
    },
    restoreStep(swap),
    {
      id: 'wake',
      title: 'wake upstream beside ours, and wait until it has something to tell',
      command: 'kubectl -n <namespace> scale deployment <upstream> --replicas=<as before>',
      proof: 'one of its pods is ready',
      undo: 'scale it to none again',
      patienceMs: wakePatienceMs,
      run: wakeTheirs,
      prove: async now => isReady(theTheirs(now, await readSituation(now))),
    },
    {
      id: 'switch',
      title: `lead callers back: ${part.apiService} as it was`,
      command: `kubectl edit apiservice ${part.apiService}   # as ConfigMap ballast-migration-${replaced.id} has kept it`,
      proof: 'it is available, and what callers are told is not empty and of now',
      undo: `ballast migrate apply ${replaced.id} (by itself where the proof fails)`,
      patienceMs: leadPatienceMs,
      run: async now => leadBack(now, await registrationBefore(now, part)),
      prove: now => ledBack(now, part),
      revert: async now => leadToUs(now, await ownRegistration(now, part)),
      reverts: ['switch'],
    },
    {
      id: 'off',
      title: 'switch ours off',
      command: `capabilities.${capability}.enabled: false in ConfigMap ballast-config`,
      proof: `nothing of ours ${replaced.swap.does}`,
      undo: `capabilities.${capability}.enabled: true`,
      patienceMs: offPatienceMs,
      run: now => switchOff(now, part),
      prove: async now => all(await ledBack(now, part), isOff(now, theOurs(await readSituation(now)))),
    },
  ]
}

/** What leads to upstream: as it was kept, else to the Service that came with it, judged as its chart would have it. */
async function registrationBefore(swap: Swap, part: ApiPart): Promise<KubeObject> {
  const kept = swap.record.saved?.led.find(({ metadata }) => metadata.name === part.apiService)
  if (kept !== undefined) return kept
  const theirs = theTheirs(swap, await readSituation(swap))
  const { objects } = await wholeOf(swap, theirs)
  const service = objects.find(({ kind }) => kind === 'Service')
  const own = await readRegistration(swap, part.apiService)
  if (service === undefined || own === undefined)
    throw new StepFailed(
      `no APIService was kept, and none can be made: ${service === undefined ? 'upstream has no Service' : `there is no ${part.apiService}`}`,
    )
  const { caBundle: _bundle, ...spec } = Object(own['spec'])
  const [port] = Array.isArray(Object(service['spec']).ports) ? Object(service['spec']).ports : []
  const { name, namespace } = service.metadata
  return {
    apiVersion: own.apiVersion,
    kind: own.kind,
    metadata: { name: part.apiService },
    spec: { ...spec, insecureSkipTLSVerify: true, service: { name, namespace, port: numberAt(port, 'port') ?? 443 } },
  }
}

async function checkedBack(swap: Swap, part: ApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const ours = theOurs(situation)
  const owner = putBackByOwner(swap, ours)
  if (owner !== undefined) return no(owner)
  const missing = await missingOf(swap, await needsBack(swap, part))
  if (missing !== undefined) return no(missing)
  return yes(`callers are led to ${ledTo(await readRegistration(swap, part.apiService)) ?? 'nobody'}`)
}

async function ledBack(swap: Swap, part: ApiPart): Promise<Proof> {
  const { theirs, ours } = await readSituation(swap)
  const found = await readRegistration(swap, part.apiService)
  const place = ledTo(found)
  if (found === undefined || place === undefined || place === ownService(part, ours))
    return no(`${part.apiService} leads to ${place ?? 'nobody'}`)
  const kept = swap.record.saved?.led.find(({ metadata }) => metadata.name === part.apiService)
  if (kept !== undefined && !isAsBefore(found, kept)) return no(`${part.apiService} is not as it was`)
  const [one] = theirs
  const section = one === undefined ? undefined : (await wholeOf(swap, one)).converted.values['capabilities']
  return answered(swap, part, Reflect.get(Object(section), swap.upstream.capability))
}

async function switchOff(swap: Swap, part: ApiPart): Promise<void> {
  const now = await ledBack(swap, part)
  if (!now.ok) throw new StepFailed(`callers are not answered by upstream: ${now.said}`)
  const ours = theOurs(await readSituation(swap))
  await writeSection(swap, ours, swap.upstream.capability, { enabled: false })
  // What a swap made is for this alone; where somebody has it for the page, too, it stays.
  if (ours.loop !== undefined && ours.isOfSwap) await scaleLoop(swap, ours.loop, 0)
  // All of it is back: a later swap keeps what is there then.
  await swap.record.write({ saved: savedWith(swap.record.saved, { removed: [], led: [] }) })
}

function isOff(swap: Swap, ours: ReturnType<typeof theOurs>): Proof {
  const { capability } = swap.upstream
  if (ours.isEnabled) return no(`${capability} is on in our configuration`)
  if (ours.loop !== undefined && ours.isOfSwap && ours.loop.replicas > 0) return no(`${ours.loop.name} is awake`)
  return yes(`${capability} is off in our configuration`)
}

async function needsBack(swap: Swap, part: ApiPart): Promise<readonly Access[]> {
  const { theirs, ours } = await readSituation(swap)
  const [namespace = ''] = ownService(part, ours).split('/')
  const removed = swap.record.saved?.removed ?? []
  const isLoop = ({ kind }: KubeObject) => sleeping[kind] !== undefined
  return [
    ...['get', 'create', 'update'].map(verb => of(apiServices, undefined, verb)),
    of(builtIn.configmaps, namespace, 'update'),
    of(builtIn.secrets, namespace, 'get'),
    ...(ours?.loop !== undefined && ours.isOfSwap ? [of(resourceOf(ours.loop.workload), namespace, 'patch')] : []),
    ...removed.flatMap(object => ofObject(object, ...(isLoop(object) ? ['create', 'patch'] : ['create']))),
    ...theirs.map(ofLoop),
  ]
}

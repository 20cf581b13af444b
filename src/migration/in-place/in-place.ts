// A swap within upstream's own Deployments, forth and back: one program after the other gets ours, or again upstream's, by one write of its
// template. The cluster rolls it out, so that at each moment those pods answer that are ready, old or new, whatever becomes of this process.
import { isDeepStrictEqual } from 'node:util'
import { listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict } from '#kube/objects/status.ts'
import { isOurs } from '#upstreams/own-program.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { InPlacePart, InPlaceProgram } from '#upstreams/upstream.ts'
import { missingOf, of } from '../access.ts'
import { placeOfOurs, shown, theTheirs } from '../both.ts'
import { fieldManager } from '../own-made.ts'
import { newInstallation } from '../own-objects.ts'
import { ownerIsLive } from '../owner-words.ts'
import type { Loop, Ours, Situation } from '../place.ts'
import { savedWith } from '../record.ts'
import { readSituation } from '../situation.ts'
import { type Access, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { restorable } from '../writes.ts'
import {
  environmentOf,
  leavesNobody,
  type OwnPods,
  ownPodsOf,
  programContainer,
  templateWithOurs,
  wordsOf,
} from './program-template.ts'

/** Images that are pulled, pods that start one after the other, and those before them that drain. */
const rollPatienceMs = 600_000

export const inPlaceForth = (part: InPlacePart): Way => ({
  steps: swap => stepsForth(swap, part),
  needs: needsOf,
})

export const inPlaceBack = (part: InPlacePart): Way => ({
  steps: swap => stepsBack(swap, part),
  needs: needsOf,
})

/** The Deployment of a program in the installation that is swapped; `undefined`: it has none. */
function loopOf(swap: Swap, situation: Situation, program: InPlaceProgram): Loop | undefined {
  const theirs = theTheirs(swap, situation)
  return [theirs, ...situation.companions].find(
    one => one.namespace === theirs.namespace && one.workload.kind === 'Deployment' && program.isOf(one.workload),
  )
}

/** Image and needs of our pods, by what runs here, else as we would be installed. @throws StepFailed where there is no such process */
function ownPods({ upstream: { capability } }: Swap, ours: Ours | undefined): OwnPods {
  const made = newInstallation({ capabilities: { [capability]: { enabled: true } } })
  const isOf = ({ kind, metadata }: KubeObject) =>
    kind === 'Deployment' && metadata.labels?.['app.kubernetes.io/component'] === capability
  const standard = made.find(isOf)
  if (standard === undefined) throw new StepFailed(`Ballast has no process for ${capability}`)
  const pods = ownPodsOf(standard)
  if (ours === undefined) return pods
  const { image, pullPolicy, pullSecrets, runAsUser } = ownPodsOf(ours.controller)
  return { image, pullPolicy, pullSecrets, runAsUser, memory: pods.memory }
}

async function stepsForth(swap: Swap, part: InPlacePart): Promise<readonly Step[]> {
  const { name, replaced } = swap.upstream
  const situation = await readSituation(swap)
  const { image } = ownPods(swap, situation.ours)
  const steps = part.programs.map((program): Step => {
    const loop = loopOf(swap, situation, program)
    const at = loop === undefined ? `the ${program.command}, which is not there` : shown(loop)
    return {
      id: program.command,
      title: `bring ours into ${at}, by its own roll-out`,
      command:
        loop === undefined
          ? '-'
          : `kubectl -n ${loop.namespace} edit deployment ${loop.name}   # image: ${image}, no command, args: [${program.command}, <as before>]`,
      proof: 'all of its pods run ours and are ready',
      undo: `ballast migrate apply ${replaced.id} --back (by itself where the proof fails; the template is kept in ConfigMap ballast-migration-${replaced.id})`,
      patienceMs: rollPatienceMs,
      run: now => bring(now, program),
      prove: now => brought(now, program),
      revert: now => takeBack(now, program),
      reverts: [program.command],
    }
  })
  return [
    {
      id: 'check',
      title: `look at ${shown(theTheirs(swap, situation))}, its other programs, and who owns them`,
      command: 'ballast doctor',
      proof: `one ${name}, nothing brings it back, its roll-outs leave somebody who answers, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'convert',
      title: 'see that our programs take what upstream is told',
      command: `ballast migrate values --from ${replaced.id} <values.yaml of its chart>`,
      proof: 'each word and variable has its meaning for ours',
      undo: '-',
      prove: now => taken(now, part),
    },
    ...steps,
  ]
}

async function stepsBack(swap: Swap, part: InPlacePart): Promise<readonly Step[]> {
  const { replaced } = swap.upstream
  const situation = await readSituation(swap)
  const steps = part.programs.toReversed().map((program): Step => {
    const loop = loopOf(swap, situation, program)
    return {
      id: program.command,
      title: `bring upstream's back into ${loop === undefined ? `the ${program.command}, which is not there` : shown(loop)}, by its own roll-out`,
      command: `kubectl -n ${loop?.namespace ?? '<namespace>'} edit deployment ${loop?.name ?? '<name>'}   # spec.template as ConfigMap ballast-migration-${replaced.id} has kept it`,
      proof: "all of its pods run upstream's program and are ready",
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: rollPatienceMs,
      run: now => takeBack(now, program),
      prove: now => broughtBack(now, program),
      revert: now => bring(now, program),
      reverts: [program.command],
    }
  })
  return [
    {
      id: 'check',
      title: `look at ${shown(theTheirs(swap, situation))}, and who owns it`,
      command: 'ballast doctor',
      proof: 'what was there is kept, nothing undoes what is written, and you may write what the steps write',
      undo: '-',
      prove: now => checkedBack(now, part),
    },
    ...steps,
  ]
}

async function checked(swap: Swap, part: InPlacePart): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const { ours } = situation
  const { capability } = swap.upstream
  const beside =
    ours?.isEnabled === true
      ? `capabilities.${capability} is on in ConfigMap ${ours.namespace}/${ours.file?.metadata.name}: its operator and the one in upstream's place would write the same objects. Switch it off first, or take upstream away`
      : undefined
  const obstacle =
    ownerIsLive(theirs) ?? beside ?? rollObstacles(swap, situation, part) ?? (await missingOf(swap, await needsOf(swap)))
  if (obstacle !== undefined) return no(`${obstacle}. Nothing was written`)
  const { image } = ownPods(swap, ours)
  const upgrade =
    theirs.owner?.by === 'helm'
      ? `; Helm release ${theirs.owner.name} stays, and its next upgrade brings upstream's programs back`
      : ''
  return yes(`${shown(theirs)} is there; ours is ${image}; ${placeOfOurs(ours)}${upgrade}`)
}

/** What the roll-outs themselves would break. */
function rollObstacles(swap: Swap, situation: Situation, { programs }: InPlacePart): string | undefined {
  const found = programs.flatMap((program): readonly string[] => {
    const loop = loopOf(swap, situation, program)
    if (loop === undefined) return []
    const container = programContainer(loop.workload, program)
    if (container === undefined) return [`no container of ${shown(loop)} has the image ${program.image}`]
    const { electedBy } = program
    const isElected = electedBy === undefined || wordsOf(container, program).some(word => isWord(word, electedBy))
    const away = leavesNobody(loop.workload)
    return [
      ...(away === undefined ? [] : [`${shown(loop)}: ${away}`]),
      ...(isElected
        ? []
        : [`${shown(loop)} is not told ${electedBy}: its old pods and the new ones would both act. Give it that first`]),
    ]
  })
  return found.length === 0 ? undefined : found.join('; ')
}

/** `--leader-elect`, and `--leader-elect=true`. */
const isWord = (word: string, flag: string): boolean => word.replace(/^--?/, '--').replace(/=(true|t|1)$/i, '') === flag

async function checkedBack(swap: Swap, part: InPlacePart): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const lacking = part.programs.flatMap(program => {
    const loop = loopOf(swap, situation, program)
    return loop !== undefined && runsOurs(loop, program) && keptOf(swap, loop) === undefined ? [shown(loop)] : []
  })
  if (lacking.length > 0)
    return no(`nothing was kept of ${lacking.join(', ')}: helm upgrade with upstream's chart brings upstream's programs back`)
  const obstacle = ownerIsLive(theirs) ?? (await missingOf(swap, await needsOf(swap)))
  return obstacle === undefined ? yes(`${shown(theirs)} is there`) : no(obstacle)
}

async function taken(swap: Swap, { programs }: InPlacePart): Promise<Proof> {
  const situation = await readSituation(swap)
  const found = programs.flatMap(program => {
    const loop = loopOf(swap, situation, program)
    const container = loop === undefined ? undefined : programContainer(loop.workload, program)
    if (loop === undefined || container === undefined) return []
    const { seen, unseen } = environmentOf(container, loop.workload.metadata)
    return [{ command: program.command, unseen, ...program.told(wordsOf(container, program), seen) }]
  })
  const lines = (key: 'refused' | 'unused' | 'unseen') => found.flatMap(one => one[key].map(said => `${one.command}: ${said}`))
  const [refused, unused, unseen] = [lines('refused'), lines('unused'), lines('unseen')]
  const hidden = unseen.length === 0 ? '' : `; not seen here: ${unseen.join('; ')}`
  if (refused.length > 0) return no(`ours would not start: ${refused.join('; ')}${hidden}`)
  if (unused.length === 0) return yes(`${found.length} programs take all that they are told${hidden}`)
  return swap.allowLossy
    ? yes(`without effect: ${unused.join('; ')}${hidden}`)
    : no(`without effect: ${unused.join('; ')}; --allow-lossy goes on without them${hidden}`)
}

const runsOurs = (loop: Loop, program: InPlaceProgram): boolean => {
  const container = programContainer(loop.workload, program)
  return container !== undefined && isOurs(container, program)
}

/** One write: ours in the template. What stood there is kept first. */
async function bring(swap: Swap, program: InPlaceProgram): Promise<void> {
  const { record } = swap
  const situation = await readSituation(swap)
  const loop = loopOf(swap, situation, program)
  if (loop === undefined) return
  const live = ownerIsLive(theTheirs(swap, situation))
  if (live !== undefined) throw new StepFailed(live)
  const { workload } = loop
  if (!runsOurs(loop, program)) {
    const others = (record.saved?.led ?? []).filter(one => !isSame(one, workload))
    await record.write({ saved: savedWith(record.saved, { led: [...others, restorable(workload)] }) })
  }
  await writeTemplate(swap, loop, templateWithOurs(workload, program, ownPods(swap, situation.ours)))
}

async function brought(swap: Swap, program: InPlaceProgram): Promise<Proof> {
  const situation = await readSituation(swap)
  const loop = loopOf(swap, situation, program)
  if (loop === undefined) return yes(`there is no ${program.command}`)
  const { image } = ownPods(swap, situation.ours)
  const container = programContainer(loop.workload, program)
  if (!runsOurs(loop, program) || textAt(container, 'image') !== image)
    return no(`${shown(loop)} runs ${textAt(container, 'image')}`)
  return rolledOut(loop)
}

/** One write: the template as it was kept, to the letter. */
async function takeBack(swap: Swap, program: InPlaceProgram): Promise<void> {
  const situation = await readSituation(swap)
  const loop = loopOf(swap, situation, program)
  if (loop === undefined || !runsOurs(loop, program)) return
  const before = keptOf(swap, loop)
  if (before === undefined) throw new StepFailed(`nothing was kept of ${shown(loop)}`)
  const image = textAt(programContainer(loop.workload, program), 'image') ?? ''
  const made = templateWithOurs(before, program, { ...ownPods(swap, situation.ours), image })
  if (!isDeepStrictEqual(Object(templateOf(loop.workload)), made))
    swap.tell(`the pod template of ${shown(loop)} was changed by others meanwhile: that change is not in what comes back`)
  await writeTemplate(swap, loop, templateOf(before))
}

async function broughtBack(swap: Swap, program: InPlaceProgram): Promise<Proof> {
  const loop = loopOf(swap, await readSituation(swap), program)
  if (loop === undefined) return yes(`there is no ${program.command}`)
  return runsOurs(loop, program) ? no(`${shown(loop)} runs ours`) : rolledOut(loop)
}

const isSame = (one: KubeObject, { kind, metadata }: KubeObject): boolean =>
  one.kind === kind && one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace

const keptOf = ({ record }: Swap, { workload }: Loop): KubeObject | undefined =>
  record.saved?.led.find(one => isSame(one, workload))

/** The write names the version that it was decided on. @throws StepFailed where somebody else writes it meanwhile */
async function writeTemplate({ api, signal }: Swap, loop: Loop, template: unknown): Promise<void> {
  const { workload, namespace } = loop
  if (isDeepStrictEqual(templateOf(workload), template)) return
  const changed = { ...workload, spec: { ...Object(workload['spec']), template } }
  try {
    await api.resource<KubeObject>(builtIn.deployments).update(changed, { namespace, signal, fieldManager })
  } catch (error) {
    if (!isConflict(error)) throw error
    throw new StepFailed(`somebody else wrote ${shown(loop)} meanwhile: begin anew`)
  }
}

/** All of its pods are of its newest template and ready, and none of an older one is left to answer. */
function rolledOut(loop: Loop): Proof {
  const { workload, replicas } = loop
  const status = (key: string) => numberAt(workload, 'status', key) ?? 0
  const isSeen = status('observedGeneration') >= (workload.metadata.generation ?? 0)
  const isDone =
    status('updatedReplicas') === replicas && status('replicas') === replicas && status('availableReplicas') === replicas
  if (isSeen && isDone) return yes(`${replicas} pods of ${shown(loop)} are ready`)
  const stuck = listAt(workload, 'status', 'conditions').find(
    one => textAt(one, 'type') === 'Progressing' && textAt(one, 'status') === 'False',
  )
  const why = textAt(stuck, 'message')
  return no(
    `${isSeen ? status('updatedReplicas') : 0} of ${replicas} pods of ${shown(loop)} are new, ${status('availableReplicas')} are ready${why === undefined ? '' : `: ${why}`}`,
  )
}

async function needsOf(swap: Swap): Promise<readonly Access[]> {
  const { namespace } = theTheirs(swap, await readSituation(swap))
  return [of(builtIn.deployments, namespace, 'update')]
}

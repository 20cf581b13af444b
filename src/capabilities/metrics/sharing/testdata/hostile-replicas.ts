// We, an honest replica and a hostile one share nodes on a virtual clock; what is taken of whom is judged at the moment when it is taken.
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import type { Replica } from '#kube/server/replicas/ready-replicas.ts'
import { rendezvous } from '#kube/server/replicas/rendezvous.ts'
import { emptyReading, type NodeReading, type Reading, unbelievable } from '../../decode/reading.ts'
import { encodeAnswer, encodePoints } from '../points-message.ts'
import { SharedNodes } from '../shared-nodes.ts'
import { HostileAnswers } from './hostile-answers.ts'

const resolutionMs = 15_000
const nodes = Array.from({ length: 12 }, (_, number) => `node-${number}`)
const names = ['hostile', 'honest', 'we']

/** Why a reading could never have been decoded from a kubelet; undefined where it could. */
export function incredible({ node, containers }: NodeReading): string | undefined {
  for (const one of [node, ...containers]) {
    const why = incredibleNumbers(one)
    if (why !== undefined) return why
  }
  return undefined
}

function incredibleNumbers(one: Reading): string | undefined {
  for (const value of [one.cpuNs, one.memoryBytes, one.swapBytes, one.startNs])
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= 2 ** 63 * 1e9)) return `a value of ${value}`
  for (const timeMs of [one.cpuMs, one.memoryMs]) if (unbelievable(0, timeMs) !== undefined) return `a time of ${timeMs}`
  return undefined
}

/** Plays so many resolutions. Gives what should not have been; `questions` are those to the hostile one. */
export async function playHostile(seed: number, resolutions: number) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const hostile = new HostileAnswers(seededRandom(seed), nodes, () => clock.now())
  const ownerOf = (node: string) => rendezvous(node, names)
  const readMs = new Map<string, number>()
  const taken = new Map<string, { readonly by: string; readonly elapsedMs: number }>()
  const wrong: string[] = []
  let [questions, number, isHostile, asking] = [0, 0, true, '']
  const honestAnswer = (instance: string, of: readonly string[]) =>
    encodeAnswer({
      instance,
      upTo: ++number,
      isCut: false,
      entries: of.map(node => ({ ageMs: 500, points: encodePoints({ node, receivedMs: clock.now(), isOwners: true, reading: honest }) })),
    })
  const shares = new SharedNodes({
    apis: {
      answerReplicas: () => ({ [Symbol.dispose]: () => undefined }),
      replicasBy: () => ({ own: 'we', others: names.filter(name => name !== 'we').map((name): Replica => ({ name, address: name, port: 1 })) }),
      askReplica: async ({ name }, path) => {
        const after = new URLSearchParams(path.split('?')[1]).get('after') ?? ''
        // As our own answers to it: a number that nobody could have got is no question.
        if (!/^\d{1,15}$/.test(after) || path.length > 4_096) return { status: 400, body: Buffer.from('{}') }
        if (name === 'hostile') questions++
        await clock.after(50)
        asking = name
        const mine = nodes.filter(node => ownerOf(node) === name)
        return { status: 200, body: name === 'hostile' && isHostile ? hostile.body() : honestAnswer(name, mine) }
      },
    },
    slices: () => [],
    resolutionMs,
    clock,
    log: silentLog,
    instance: 'we',
  })
  shares.begin({
    isMeasured: node => nodes.includes(node),
    ageMs: node => {
      const last = taken.get(node)
      return last === undefined ? undefined : clock.elapsed() - last.elapsedMs
    },
    take(node, reading, { elapsedMs }) {
      const why = incredible(reading)
      if (why !== undefined) wrong.push(`${node}: ${why}`)
      const owner = ownerOf(node)
      const by = reading === honest ? 'honest' : asking
      if (owner === 'we' && clock.elapsed() - (readMs.get(node) ?? -Infinity) < resolutionMs)
        wrong.push(`${node}: we read it ${clock.elapsed() - (readMs.get(node) ?? 0)} ms ago, and ${by} is believed`)
      taken.set(node, { by, elapsedMs })
    },
  })
  const scrape = () => {
    for (const node of nodes)
      if (shares.isOurs(node)) {
        shares.asked(node)
        readMs.set(node, clock.elapsed())
        taken.set(node, { by: 'we', elapsedMs: clock.elapsed() })
        shares.answered(node, honest, clock.now())
      }
  }
  for (let at = 0; at < resolutions; at++) {
    scrape()
    await clock.advance(resolutionMs)
  }
  const asked = questions
  isHostile = false
  for (let at = 0; at < 4; at++) {
    scrape()
    await clock.advance(resolutionMs)
  }
  const state = shares.check().state
  await shares[Symbol.asyncDispose]()
  if (state?.includes('nothing from hostile') === true) wrong.push(`it is honest again, and is not believed: ${state}`)
  return { wrong, questions: asked }
}

const honest: NodeReading = {
  node: { ...emptyReading(), cpuNs: 1e9, cpuMs: Date.UTC(2026, 0, 1), memoryBytes: 1, memoryMs: Date.UTC(2026, 0, 1) },
  containers: [],
  rejected: new Map(),
}

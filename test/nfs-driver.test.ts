// Our driver answers as upstream's did (recorded on the real one), but for the differences that `nfs-differences.ts` names.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { CsiClient } from './csi-wire.ts'
import { type ComparedField, type Difference, differences } from './nfs-differences.ts'
import { driverCases } from './nfs-driver-cases.ts'
import { InProcessSite } from './nfs-played-site.ts'
import { answersIn, type CaseAnswers } from './nfs-player.ts'

const recorded: { readonly cases: readonly CaseAnswers[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/nfs/driver-answers.json'), 'utf8'),
)
const byName = new Map(recorded.cases.map(one => [one.name, one]))
const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

const fields: readonly ComparedField[] = ['code', 'response', 'exports']
const used = new Set<Difference>()
/** What ours answers where that differs. */
const otherwise: Record<string, readonly Readonly<Record<string, unknown>>[]> = {}

/** An answer, without what may differ in this case. */
function compared(answer: CaseAnswers['answers'][number] | undefined, allowed: ReadonlySet<ComparedField>) {
  const shown = { code: answer?.code, response: answer?.response, exports: withoutSeals(answer?.exports) }
  return Object.fromEntries(fields.filter(field => !allowed.has(field)).map(field => [field, shown[field]]))
}

/** Our archives end with an entry that holds their checksum, and is called as the first one. */
function withoutSeals(lines: readonly string[] | undefined): readonly string[] | undefined {
  return lines?.filter((line, at) => !(/^[+-] entry .* \.$/.test(line) && lines.indexOf(line) < at))
}

/** The driver does not start with a policy that it does not know. */
const refused = driverCases.filter(({ name }) => name.startsWith("delete: the driver's policy nonsense"))
const played = driverCases.filter(one => one.isSlow !== true && !refused.includes(one))

describe('as upstream’s driver', () => {
  test.each(played.map(one => [one.name, one] as const))('%s', async (name, one) => {
    using site = new InProcessSite()
    const { answers } = await answersIn(site, flags => site.start(flags, workers), one)
    const wanted = byName.get(name)?.answers ?? []
    expect(answers.map(({ call }) => call)).toEqual(wanted.map(({ call }) => call))
    const of = differences.filter(({ cases }) => cases.test(name))
    const allowed = new Set(of.flatMap(difference => difference.fields))
    expect(answers.map(answer => compared(answer, allowed))).toEqual(wanted.map(answer => compared(answer, allowed)))
    const nothing = new Set<ComparedField>()
    const isDifferent =
      JSON.stringify(answers.map(one => compared(one, nothing))) !== JSON.stringify(wanted.map(one => compared(one, nothing)))
    if (!isDifferent) return
    for (const difference of of) used.add(difference)
    const notCompared = new Set(fields.filter(field => !allowed.has(field)))
    otherwise[name] = answers.map(answer => ({ call: answer.call, ...compared(answer, notCompared) }))
  })

  // Written anew by `vitest run -u`: each line of it is a decision.
  test('where it answers otherwise it answers as it did', async () => {
    expect(Object.keys(otherwise).length).toBeGreaterThan(50)
    await expect(`${JSON.stringify(otherwise, null, 1)}\n`).toMatchFileSnapshot('fixtures/nfs/our-answers.json')
  })

  test('each difference is one', () => {
    expect(differences.filter(difference => !used.has(difference)).map(({ because }) => because)).toEqual([])
  })

  test.each(refused.map(({ name, flags = [] }) => [name, flags] as const))('%s: it does not start', async (_name, flags) => {
    using site = new InProcessSite()
    await expect(site.start(flags, workers)).rejects.toThrow(/--default-ondelete-policy: found "nonsense", expected/)
  })
})

test.each(['localhost', '%2Fcsi%2Fcsi.sock'])('a client that calls the server %s is answered (41)', async authority => {
  using site = new InProcessSite()
  await using driver = await site.start([], workers)
  using client = new CsiClient(driver.socket, authority)
  expect(await client.ask('Probe')).toMatchObject({ code: 'OK' })
  expect(await client.ask('GetPluginInfo')).toMatchObject({ code: 'OK', response: { name: 'nfs.csi.k8s.io' } })
})

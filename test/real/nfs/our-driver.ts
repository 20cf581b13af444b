// Our driver as a process, by upstream's flags, where the machine really mounts: what the tests in one process cannot see.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { differences } from '../../nfs-differences.ts'
import { driverCases } from '../../nfs-driver-cases.ts'
import type { CaseAnswers, StepAnswer } from '../../nfs-player.ts'
import { answersTo } from './driver-answers.ts'
import type { DriverCommand } from './driver-process.ts'
import { conformance, toldCounts } from './sanity.ts'

const repository = join(import.meta.dirname, '..', '..', '..')

export const ourDriver: DriverCommand = [process.execPath, join(repository, 'src', 'cli', 'main.ts'), 'nfsplugin']

/** It changes volumes as VolumeAttributesClasses say. */
export const changingDriver: DriverCommand = [...ourDriver, '--modify-volumes']

/** No spec may fail, and none may leave a mount. */
export async function ourConformance(): Promise<string> {
  const counts = await conformance(ourDriver)
  if (counts.failed.length > 0) throw new Error(counts.failed.map(({ name, because }) => `${name}: ${because}`).join('\n'))
  if (counts.leftMounts.length > 0) throw new Error(`left mounted: ${counts.leftMounts.join(', ')}`)
  return toldCounts(counts)
}

/** What no setting of ours has the suite ask, each with the reason; how many specs that are. */
const notOurs: readonly (readonly [why: RegExp, count: number, because: string])[] = [
  [
    /^ControllerPublishVolume not|^ControllerUnpublishVolume not|^Controller Publish, UnpublishVolume not/,
    10,
    'nothing is attached: a node mounts from the server itself, and the CSIDriver says so',
  ],
  [/^NodeExpandVolume not/, 4, 'a folder has no size that a node could change'],
  [
    /^GroupControllerService not/,
    6,
    'CSI demands that writes to all volumes of a group are cut in their order, or that the call fails: archives are read file by file',
  ],
  [/^$/, 1, 'the suite itself has switched it off'],
]

/** The same where the driver does all that it can be told to: only what is named may be skipped. */
export async function ourWholeConformance(): Promise<string> {
  const counts = await conformance(ourDriver, {
    flags: ['--list-shares=candlekeep:/kubernetes', '--stage-volumes', '--modify-volumes'],
    mutableParameters: { mountPermissions: '0770' },
  })
  if (counts.failed.length > 0) throw new Error(counts.failed.map(({ name, because }) => `${name}: ${because}`).join('\n'))
  if (counts.leftMounts.length > 0) throw new Error(`left mounted: ${counts.leftMounts.join(', ')}`)
  const unnamed = counts.skipped.filter(({ because }) => !notOurs.some(([why]) => why.test(because)))
  if (unnamed.length > 0) throw new Error(`skipped: ${unnamed.map(({ name, because }) => `${name}: ${because}`).join('\n')}`)
  for (const [why, count] of notOurs) {
    const found = counts.skipped.filter(({ because }) => why.test(because)).length
    if (found !== count) throw new Error(`${found} specs are skipped with ${why}, expected ${count}`)
  }
  return toldCounts(counts)
}

/** How many drivers run at once. */
const casesAtOnce = 3

/** Targets and mounts of pods; where the controller mounts for itself is each driver's matter. */
const ofPods = (lines: readonly string[] | undefined) => (lines ?? []).filter(line => line.includes('$site/targets'))

/** Codes, what is mounted for pods and how, as by upstream's driver: but where a difference is named that touches them. */
export async function mountsAsUpstream(): Promise<string> {
  const file = join(repository, 'test', 'fixtures', 'nfs', 'driver-answers.json')
  const { cases }: { readonly cases: readonly CaseAnswers[] } = JSON.parse(readFileSync(file, 'utf8'))
  const wanted = new Map(cases.map(one => [one.name, one.answers]))
  const left = driverCases.filter(
    ({ name, isSlow }) =>
      name.startsWith('node: ') &&
      isSlow !== true &&
      !differences.some(({ cases: named, fields }) => fields.includes('code') && named.test(name)),
  )
  const count = left.length
  const differing: string[] = []
  const compared = ({ call, code, mounted }: StepAnswer) => ({ call, code, mounted: ofPods(mounted) })
  await Promise.all(
    Array.from({ length: casesAtOnce }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const { name } = one
        const { answers } = await answersTo(ourDriver, one)
        const theirs = wanted.get(name) ?? []
        if (isDeepStrictEqual(answers.map(compared), theirs.map(compared))) continue
        const at = answers.findIndex(
          (answer, index) => !isDeepStrictEqual(compared(answer), theirs[index] && compared(theirs[index])),
        )
        differing.push(`${name}, call ${at + 1}: ${JSON.stringify(answers[at])}; upstream's: ${JSON.stringify(theirs[at])}`)
      }
    }),
  )
  if (differing.length > 0) throw new Error(`${differing.length} of ${count} cases differ:\n${differing.join('\n')}`)
  return `${count} cases of the node part: mounted as by upstream's driver`
}

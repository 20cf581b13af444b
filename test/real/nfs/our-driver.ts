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

/** A spec that no driver is asked: the suite marks it as pending, because its outcome depends on how many volumes there are. */
const switchedOff = /^Controller Service .* ListVolumes pagination should detect volumes added between pages/

/** The same where the driver does all that it can be told to: it is asked every spec, and none may be skipped. */
export async function ourWholeConformance(): Promise<string> {
  const counts = await conformance(ourDriver, {
    flags: [
      ...['--list-shares=candlekeep:/kubernetes', '--stage-volumes', '--modify-volumes', '--group-snapshots', '--node-expansion'],
      ...['--attach-volumes=n0,n1', '--max-volumes-per-node=3'],
    ],
    mutableParameters: { mountPermissions: '0770' },
    fillsNode: true,
  })
  if (counts.failed.length > 0) throw new Error(counts.failed.map(({ name, because }) => `${name}: ${because}`).join('\n'))
  if (counts.leftMounts.length > 0) throw new Error(`left mounted: ${counts.leftMounts.join(', ')}`)
  const skipped = counts.skipped.filter(({ name, because }) => because !== '' || !switchedOff.test(name))
  if (skipped.length > 0) throw new Error(`skipped: ${skipped.map(({ name, because }) => `${name}: ${because}`).join('\n')}`)
  const [pending, ...more] = counts.skipped
  if (pending === undefined || more.length > 0)
    throw new Error('the suite has switched on the spec that it had switched off, or has it twice')
  return `${toldCounts(counts)}: ${pending.name}, which the suite itself has switched off`
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

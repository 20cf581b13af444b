// Hostile dumps: the wide part of hostile-dumps.test.ts, 7,200 objects into twins and 960 through each command that reads files. A run has a
// twelfth of them, `BALLAST_TROUBLES=1/1` all.
import { expect, test } from 'vitest'
import { dumpThroughCommands, readingCommands } from './hostile/dump-commands.ts'
import { dumpOnTwin } from './hostile/dump-onslaught.ts'
import { shareOf } from './long-share.ts'

const seeds = (count: number) =>
  shareOf(
    Array.from({ length: count }, (_, index) => index + 1),
    '1/12',
  )

test.each(seeds(120))('a twin starts with the dump of seed %i', async seed => {
  expect(await dumpOnTwin(seed, 60)).toEqual([])
})

test.each(seeds(24))('each command answers the dump of seed %i, or says what is wrong with it', async seed => {
  expect(await dumpThroughCommands(seed, 40, readingCommands)).toEqual([])
})

import { expect, test } from 'vitest'
import { staleFiles } from '../scripts/generate.ts'

test('committed files are what the tables make', () => expect(staleFiles()).toEqual([]))

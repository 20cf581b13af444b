import { expect, test } from 'vitest'
import { knownReloadKeys } from './reload-annotations.ts'

test('known keys are in the domain', () => {
  expect(knownReloadKeys.every(key => /reloader\.stakater\.com\/|^ballast\.dev\/reload-/.test(key))).toBe(true)
  expect(new Set(knownReloadKeys).size).toBe(knownReloadKeys.length)
})

// A push that is killed at any of its requests, and then run again.
import { expect, test } from 'vitest'
import { chartTag, found, imageTag, push } from './pushed-in-test.ts'
import { smallRegistry } from './small-registry.ts'

// What ends before a request arrives is as what ends after the one before it.
test('killed at any request, the same command goes on, and no tag was there too early', async () => {
  await using whole = await smallRegistry()
  await push(whole)
  const goal = found(whole)
  for (const [at, request] of whole.asked.entries()) {
    const fault = request.startsWith('PATCH') ? 'half' : 'lost'
    await using registry = await smallRegistry({ fault: number => (number === at ? fault : undefined) })
    await expect(push(registry, { isPatient: false })).rejects.toThrow('killed')
    const hasImage = registry.manifests.has(imageTag)
    if (hasImage) expect(found(registry).bundles, `request ${at}`).toBe(goal.bundles)
    if (registry.manifests.has(chartTag)) expect(hasImage).toBe(true)
    await push(registry)
    expect(found(registry), `request ${at}: ${request}`).toEqual(goal)
  }
})

test.each([
  ['cut', 'cut'],
  ['half', 'half'],
  ['500', { status: 500 }],
  ['503', { status: 503 }],
] as const)('each fifth request fails (%s): it is tried again', async (_, fault) => {
  await using registry = await smallRegistry({ fault: number => (number % 5 === 3 ? fault : undefined) })
  await push(registry)
  expect(registry.manifests.has(chartTag)).toBe(true)
})

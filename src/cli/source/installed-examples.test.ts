import { join } from 'node:path'
import { expect, test } from 'vitest'
import { placeOf } from './installed-examples.ts'

const installed = join(import.meta.dirname, '..', '..', '..', 'examples')

test.each([
  ['examples/media-homelab', [], join(installed, 'media-homelab')],
  ['./examples/media-homelab/', [], join(installed, 'media-homelab')],
  // A clone has its own.
  ['examples/media-homelab', ['examples/media-homelab'], 'examples/media-homelab'],
  ['examples/nobodys', [], 'examples/nobodys'],
  ['examples', [], 'examples'],
  ['media-homelab', [], 'media-homelab'],
  ['../examples/media-homelab', [], '../examples/media-homelab'],
])('%s is found, where %j is there', (path, there, place) => {
  const known: readonly string[] = [...there, join(installed, 'media-homelab')]
  expect(placeOf(path, one => known.includes(one.replace(/[/\\]$/, '')))).toBe(place)
})

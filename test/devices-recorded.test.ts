// Ours against what Intel's plugins answered: see test/real/devices/record.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HostTree } from '#machines/host-tree.ts'
import { allocate } from '../src/capabilities/devices/allocation/allocate.ts'
import { preferredShares } from '../src/capabilities/devices/allocation/preferred.ts'
import { cdiSpec, pluginCdi } from '../src/capabilities/devices/cdi/cdi-spec.ts'
import { lookAt, offersOf } from '../src/capabilities/devices/discovery/offers.ts'
import { pluginSettings } from '../src/capabilities/devices/flags/plugin-flags.ts'
import type { PluginAnswer } from './real/devices/plugin-answers.ts'
import { pluginCases } from './real/devices/plugin-cases.ts'
import { writeTree } from './real/features/tree-files.ts'

const { answers }: { readonly answers: Readonly<Record<string, PluginAnswer>> } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'devices', 'plugin-answers.json'), 'utf8'),
)

test.each(pluginCases)('$name', ({ name, program, flags, files }) => {
  const root = mkdtempSync(join(tmpdir(), 'ballast-devices-'))
  try {
    writeTree(root, { files })
    const { config } = pluginSettings(program, flags)
    const machine = lookAt(new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), config)
    const offers = offersOf(machine, config, new Set())
    const recorded = answers[name]
    if (recorded === undefined) throw new Error(`${name} is not recorded`)
    expect([...offers.keys()].sort()).toEqual(Object.keys(recorded.resources))
    for (const [resource, theirs] of Object.entries(recorded.resources)) {
      const offer = offers.get(resource)
      if (offer === undefined || offer.policy === 'links') throw new Error(`no ${resource}`)
      const { policy } = offer
      const devices = [...offer.shares.values()].map(({ id, numaNodes }) => ({ id, health: 'Healthy', numa: numaNodes }))
      expect(devices.sort((left, right) => (left.id < right.id ? -1 : 1))).toEqual(theirs.devices)
      const ids = devices.map(({ id }) => id)
      const wanted = [[ids[0] ?? ''], [ids[0] ?? '', ids.at(-1) ?? '']]
      expect(
        wanted.map(some => {
          const { nodes, mounts, cdi } = allocate(offer, some)
          return {
            files: nodes.map(({ path }) => `${path} rw`).sort(),
            mounts: mounts.map(path => `${path} ro`).sort(),
            cdi: [...cdi].sort(),
          }
        }),
      ).toEqual(theirs.allocated)
      for (const { available, size, ids: preferred } of theirs.preferred)
        expect([...preferredShares({ available, mustInclude: [], size }, policy, false)].sort()).toEqual(preferred)
    }
    const specs = machine.devices.flatMap(device => {
      const cdi = pluginCdi(device)
      return cdi === undefined ? [] : [[cdi.file, cdiSpec(device, cdi, false)] as const]
    })
    expect(Object.fromEntries(specs.filter(([file]) => Object.hasOwn(recorded.cdi, file)))).toEqual(recorded.cdi)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

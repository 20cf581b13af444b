// Ours against what Intel's plugins and AMD's answered: see test/real/devices/record.ts.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HostTree } from '#machines/host-tree.ts'
import { allocate } from '../src/capabilities/devices/allocation/allocate.ts'
import { kinshipOf, linkedShares } from '../src/capabilities/devices/allocation/linked.ts'
import { NoAnswer, preferredShares } from '../src/capabilities/devices/allocation/preferred.ts'
import { cdiSpec, pluginCdi } from '../src/capabilities/devices/cdi/cdi-spec.ts'
import { lookAt, type Machine, type Offer, offersOf } from '../src/capabilities/devices/discovery/offers.ts'
import { pluginSettings } from '../src/capabilities/devices/flags/plugin-flags.ts'
import { amdCases, amdOtherwise } from './real/devices/amd-cases.ts'
import { comparable, recordedAnswers, withoutUnused } from './real/devices/comparable.ts'
import type { PluginAnswer, ResourceAnswer } from './real/devices/plugin-answers.ts'
import { type PluginCase, pluginCases } from './real/devices/plugin-cases.ts'
import { writeTree } from './real/features/tree-files.ts'

/** What ours answers on the same machine, without a kubelet. */
function ownAnswer({ program, flags, files }: PluginCase, theirs: PluginAnswer): PluginAnswer {
  const root = mkdtempSync(join(tmpdir(), 'ballast-devices-'))
  try {
    writeTree(root, { files })
    const { config } = pluginSettings(program, flags)
    const machine = lookAt(new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), config)
    const resources = [...offersOf(machine, config, new Set())].map(([resource, offer]) => {
      const preferred = (theirs.resources[resource]?.preferred ?? []).map(question => ({
        ...question,
        ids: preferredOf(offer, machine, question),
      }))
      return [resource, { ...answerOf(offer), preferred }] as const
    })
    const specs = machine.devices.flatMap(device => {
      const cdi = pluginCdi(device)
      return cdi === undefined ? [] : [[cdi.file, cdiSpec(device, cdi, false)] as const]
    })
    return {
      resources: Object.fromEntries(resources.sort(([left], [right]) => (left < right ? -1 : 1))),
      cdi: Object.fromEntries(specs),
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function answerOf(offer: Offer): Pick<ResourceAnswer, 'devices' | 'allocated'> {
  const devices = [...offer.shares.values()].map(({ id, numaNodes }) => ({ id, health: 'Healthy', numa: numaNodes }))
  devices.sort((left, right) => (left.id < right.id ? -1 : 1))
  const ids = devices.map(({ id }) => id)
  const wanted = [[ids[0] ?? ''], [ids[0] ?? '', ids.at(-1) ?? '']]
  const allocated = wanted.map(some => {
    const { nodes, mounts, cdi } = allocate(offer, some)
    return {
      files: nodes.map(({ path }) => `${path} rw`).sort(),
      mounts: mounts.map(path => `${path} ro`).sort(),
      cdi: [...cdi].sort(),
    }
  })
  return { devices, allocated }
}

function preferredOf(
  { policy, shares }: Offer,
  { devices, compute }: Machine,
  { available, must = [], size }: ResourceAnswer['preferred'][number],
): readonly string[] | 'refused' {
  const question = { available, mustInclude: must, size }
  try {
    const ids =
      policy === 'links'
        ? linkedShares(question, shares, kinshipOf(devices, compute), false)
        : preferredShares(question, policy, false)
    return [...ids].sort()
  } catch (error) {
    if (error instanceof NoAnswer) return 'refused'
    throw error
  }
}

describe.each([
  ['plugin-answers', pluginCases],
  ['amd-answers', amdCases],
] as const)('%s', (file, cases) => {
  const answers = recordedAnswers(file)
  test.each(cases)('$name', one => {
    const recorded = answers[one.name]
    if (recorded === undefined) throw new Error(`${one.name} is not recorded`)
    const theirs = comparable(recorded, one, recorded)
    expect(withoutUnused(comparable(ownAnswer(one, theirs), one, theirs), theirs)).toEqual(theirs)
  })
})

describe('otherwise than AMD on purpose', () => {
  const both = (one: PluginCase) => {
    const theirs = recordedAnswers('amd-answers')[one.name]
    if (theirs === undefined) throw new Error(`${one.name} is not recorded`)
    return { theirs, own: ownAnswer(one, theirs) }
  }
  const idsOf = ({ resources }: PluginAnswer) =>
    Object.fromEntries(Object.entries(resources).map(([name, { devices }]) => [name, devices.map(({ id }) => id)]))

  test('GPUs without a link are the farthest, which upstream takes for the nearest', () => {
    const { theirs, own } = both(amdOtherwise.unlinked)
    // Two of three: a pair of them is always linked.
    const pairs = ({ resources }: PluginAnswer) =>
      (resources['amd.com/gpu']?.preferred ?? [])
        .filter(({ size, available, must = [] }) => size === 2 && available.length === 3 && must.length === 0)
        .map(({ ids }) => new Set(Array.from(ids, id => /:(03|26):/.test(id))).size === 1)
    expect(pairs(theirs)).toEqual([false, false])
    expect(pairs(own)).toEqual([true, true])
  })

  test('a GPU that knows no partitions is amd.com/gpu beside those that do, which upstream takes for one of them, or for none', () => {
    const one = both(amdOtherwise.oneStyle)
    expect(idsOf(one.theirs)).toEqual({ 'amd.com/spx_nps1': ['0000:43:00.0', '0000:83:00.0'] })
    expect(idsOf(one.own)).toEqual({ 'amd.com/gpu': ['0000:83:00.0'], 'amd.com/spx_nps1': ['0000:43:00.0'] })
    const two = both(amdOtherwise.twoStyles)
    expect(Object.keys(idsOf(two.theirs))).toEqual(['amd.com/cpx_nps4', 'amd.com/spx_nps1'])
    expect(idsOf(two.own)).toEqual({ ...idsOf(two.theirs), 'amd.com/gpu': ['0000:83:00.0'] })
  })
})

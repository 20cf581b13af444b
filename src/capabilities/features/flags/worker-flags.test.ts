// The command line of nfd-worker: what counts before what, and what is refused.

import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { workerSettings } from './worker-flags.ts'

const file = `core: {sleepInterval: 5m, featureSources: [pci], noPublishFeatures: ["kernel.*"]}
sources: {pci: {deviceClassWhitelist: ["02"]}}
`
const settings = (...words: readonly string[]) => workerSettings(words, path => (path === '/conf' ? file : undefined))

describe('what counts', () => {
  test('without anything the standards of upstream', () => {
    const { config, port, oneshot, warnings } = settings()
    expect(config.core).toMatchObject({
      sleepInterval: '60s',
      featureSources: ['all'],
      ownerRefs: ['pod', 'ds'],
      noPublish: false,
    })
    expect([port, oneshot]).toEqual([8080, false])
    expect(warnings.join()).toContain('nfd-worker.conf')
  })

  test('the file, over it -options, over it the flags; one dash or two', () => {
    const { config } = settings(
      '-config=/conf',
      '--options={core: {sleepInterval: 0s}, sources: {pci: {deviceLabelFields: [vendor]}}}',
      '-feature-sources',
      'all,-usb',
    )
    expect(config.core).toMatchObject({ sleepInterval: '0s', featureSources: ['all', '-usb'], noPublishFeatures: ['kernel.*'] })
    expect(config.sources.pci).toEqual({ deviceClassWhitelist: ['02'], deviceLabelFields: ['vendor'] })
  })

  test('a value that looks like a flag is one all the same', () => {
    const { config } = settings('-label-sources', '-usb', '-oneshot')
    expect(config.core.labelSources).toEqual(['-usb'])
  })

  test('an empty list of owners is none', () => expect(settings('-owner-refs=').config.core.ownerRefs).toEqual([]))

  test('flags of logs and old ports are taken and told', () => {
    const { warnings, verbosity } = settings('-v=4', '-metrics', '8081', '-logtostderr')
    expect(verbosity).toBe(4)
    expect(warnings.filter(warning => warning.endsWith('has no effect'))).toHaveLength(2)
  })
})

test.each([
  [['-owner-refs=pod,pod'], 'pod twice'],
  [['-owner-refs=pod,nobody'], 'nobody'],
  [['-sleep-interval=1s'], 'unknown flag'],
  [['-port=web'], 'web'],
  [['-options={core: {sleepInterval: soon}}'], 'sleepInterval'],
  [['-options=[', '-config=/conf'], '--options'],
  [['all'], 'all'],
])('%j is refused', (words, why) => {
  let said = ''
  try {
    settings(...words)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    said = JSON.stringify(error.problems)
  }
  expect(said).toContain(why)
})

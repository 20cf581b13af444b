import { describe, expect, test } from 'vitest'
import { criSettings, findings, type Observed } from './findings.ts'

const path = '/etc/containerd/certs.d'
const observed = (over: Partial<Observed> = {}): Observed => ({
  version: '1.6.20',
  discardsLayers: false,
  configPath: path,
  images: 3,
  imagesWithoutLayers: [],
  ...over,
})

describe('what keeps the mirror from working', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<Observed>, readonly string[]]>([
    ['nothing',                                           {},                                                                       []],
    ['layers are thrown away by configuration',           { discardsLayers: true },                                                 ['LayersDiscarded']],
    ['2.x tells nothing, and images lack their layers',   { version: '2.1.9', discardsLayers: undefined, configPath: undefined, imagesWithoutLayers: ['a/b:1', 'a/b:2'] }, ['LayersDiscarded']],
    ['most have their layers: the others are older',      { discardsLayers: undefined, imagesWithoutLayers: ['a/b:1'] },            []],
    ['layers are kept now, older images lack theirs',     { imagesWithoutLayers: ['a/b:1', 'a/b:2', 'a/b:3'] },                     []],
    ['no directory of hosts files',                       { configPath: '' },                                                       ['ConfigurationMissing']],
    ['another directory of hosts files',                  { configPath: '/etc/cri/conf.d/hosts' },                                  ['ConfigurationMissing']],
    ['one of several directories',                        { configPath: `${path}:/etc/docker/certs.d` },                            []],
    ['containerd before hosts files',                     { version: '1.4.13~ds1' },                                                ['ConfigurationMissing']],
    ['containerd 2',                                      { version: '2.0.0' },                                                     []],
  ])('%s', (_name, over, expected) => {
    expect(findings(observed(over), path).map(({ reason }) => reason)).toEqual(expected)
  })

  test('a message names what is, and what is to be done', () => {
    expect(findings(observed({ configPath: '', discardsLayers: true }), path).map(({ message }) => message)).toEqual([
      'containerd has discard_unpacked_layers = true: set it to false, or no layer that this node pulls can be served',
      'containerd\'s config_path for registries is not set: set it to "/etc/containerd/certs.d"',
    ])
  })
})

describe("containerd's settings as its CRI tells them", () => {
  // biome-ignore format: a table
  test.each([
    ['1.x',                   '{"containerd":{"discardUnpackedLayers":true},"registry":{"configPath":"/etc/x"}}',  { discardsLayers: true, configPath: '/etc/x' }],
    ['2.x, which has neither', '{"containerd":{"runtimes":{}}}',                                                   { discardsLayers: undefined, configPath: undefined }],
    ['other types',           '{"containerd":{"discardUnpackedLayers":"yes"},"registry":[]}',                      { discardsLayers: undefined, configPath: undefined }],
    ['what is not JSON',      'version = 2',                                                                       { discardsLayers: undefined, configPath: undefined }],
    ['nothing',               undefined,                                                                           { discardsLayers: undefined, configPath: undefined }],
  ])('%s', (_name, config, expected) => {
    expect(criSettings(config)).toEqual(expected)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { firstObject, isManifestType, largestFingerprint, mediaTypeOf } from './fingerprint.ts'

const index = 'application/vnd.oci.image.index.v1+json'
const manifest = 'application/vnd.oci.image.manifest.v1+json'
const config = 'application/vnd.oci.image.config.v1+json'
const binary = 'application/octet-stream'

describe('the media type of content by what it says', () => {
  // biome-ignore format: a table
  test.each([
    ['an index that names its type',          `{"schemaVersion":2,"mediaType":"${index}","manifests":[]}`,                       index],
    ['a type before its version',             `{"mediaType":"${manifest}","config":{},"layers":[],"schemaVersion":2}`,           manifest],
    ['a list of Docker',                      '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}', 'application/vnd.docker.distribution.manifest.list.v2+json'],
    ['any other type, where it names one',    '{"schemaVersion":2,"mediaType":"application/vnd.example+json"}',                  'application/vnd.example+json'],
    ['an index without a type',               '{"schemaVersion":2,"manifests":[]}',                                              index],
    ['a manifest without a type',             '{"schemaVersion":2,"config":{"digest":"x"},"layers":[]}',                         manifest],
    ['an image configuration',                '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}',                config],
    ['the empty object',                      '{}',                                                                              'application/vnd.oci.empty.v1+json'],
    ['the empty object with a space in it',   '{ }',                                                                             binary],
    ['an object of another kind',             '{"unexpected":"value"}',                                                          binary],
    ['a type without schema version 2',       `{"schemaVersion":1,"mediaType":"${manifest}"}`,                                   binary],
    ['a type that is no text',                '{"schemaVersion":2,"mediaType":7,"manifests":[]}',                                index],
    ['a type that is no header',              '{"schemaVersion":2,"mediaType":"text/html\\r\\nset-cookie: a=b"}',                binary],
    ['what follows the first object',         `{"schemaVersion":2,"manifests":[]}\n{"config":{},"layers":[]}`,                   index],
    ['braces in texts',                       '{"a":"}{\\"}","architecture":"arm64","os":"linux","rootfs":{}}',                  config],
    ['manifests that are no list',            '{"schemaVersion":2,"manifests":"many"}',                                          binary],
    ['an object that is cut',                 '{"schemaVersion":2,"manifests":[]',                                               binary],
    ['an array',                              '[]',                                                                              binary],
    ['nothing',                               '',                                                                                binary],
    ['space before the object',               ' \n{"manifests":[]}',                                                             index],
    ['what is not JSON',                      '\u001f\u008b\u0008',                                                              binary],
  ])('%s', (_name, content, expected) => {
    expect(mediaTypeOf(Buffer.from(content))).toBe(expected)
  })

  test('content above 4 MiB is not looked into', () => {
    const padding = ' '.repeat(largestFingerprint)
    expect(mediaTypeOf(Buffer.from(`{"manifests":[]}${padding}`))).toBe(binary)
  })

  test('manifests of routes are the four of OCI and Docker', () => {
    expect([index, manifest, config, binary].map(isManifestType)).toEqual([true, true, false, false])
  })

  test('any bytes have a type that can be a header', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map(text => Buffer.from(text)),
        ),
        content => {
          expect(mediaTypeOf(content)).toMatch(/^[\x21-\x7e]+\/[\x21-\x7e]+$/)
        },
      ),
    )
  })

  test('an object is found as JSON itself would, with anything after it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (object, rest) => {
        const text = JSON.stringify(object)
        expect(JSON.stringify(firstObject(Buffer.from(`${text}${rest}`)))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })
})

import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { defaultsOf, jsonSchemaOf } from '../values/values-schema.ts'
import { chartFiles } from './chart.ts'
import { packChart } from './chart-package.ts'

const files = chartFiles(enabledCapabilities)

test('values.yaml says every default, and nothing else', () => {
  expect(parse(files.get('values.yaml') ?? '')).toEqual(defaultsOf(jsonSchemaOf(enabledCapabilities)))
})

test('Chart.yaml names the version, the kinds and the cluster that it needs', () => {
  const chart = parse(files.get('Chart.yaml') ?? '')
  expect(chart).toMatchObject({ apiVersion: 'v2', name: 'ballast', kubeVersion: '>=1.29.0-0', version: chart.appVersion })
  const kinds = parse(chart.annotations['artifacthub.io/crds']).map(({ name }: { readonly name: string }) => name)
  expect(kinds.toSorted()).toEqual([
    'acceleratorfunctions.fpga.intel.com',
    'cloudeventsources.eventing.keda.sh',
    'clustercloudeventsources.eventing.keda.sh',
    'clustertriggerauthentications.keda.sh',
    'disruptionpermits.ballast.dev',
    'dlbdeviceplugins.deviceplugin.intel.com',
    'dsadeviceplugins.deviceplugin.intel.com',
    'fpgadeviceplugins.deviceplugin.intel.com',
    'fpgaregions.fpga.intel.com',
    'gpudeviceplugins.deviceplugin.intel.com',
    'httpscaledobjects.http.keda.sh',
    'iaadeviceplugins.deviceplugin.intel.com',
    'interceptorroutes.http.keda.sh',
    'nodefeaturegroups.nfd.k8s-sigs.io',
    'nodefeaturerules.nfd.k8s-sigs.io',
    'nodefeatures.nfd.k8s-sigs.io',
    'nodereadinessrules.readiness.node.x-k8s.io',
    'noderesourcetopologies.topology.node.k8s.io',
    'npudeviceplugins.deviceplugin.intel.com',
    'qatdeviceplugins.deviceplugin.intel.com',
    'rebalanceplans.ballast.dev',
    'rebalancepolicies.ballast.dev',
    'scaledjobs.keda.sh',
    'scaledobjects.keda.sh',
    'sgxdeviceplugins.deviceplugin.intel.com',
    'triggerauthentications.keda.sh',
  ])
})

test('templates use few words: what Helm knows besides could not be filled in by us', () => {
  const known =
    /^(if|else|end|with|range|include|toYaml|nindent|toJson|tpl|fromYaml|toPrettyJson|has|eq|and|or|not|kindIs|join|trim|sha256sum|dict|printf|default|contains|trunc|trimSuffix|replace|define|dir|\$item(\.\w+)?|\$|\.|:=|"[^"]*"|\d+|\$registry|\(|\)|\||\$?\.[\w.]+)$/
  for (const [path, text] of files) {
    if (!path.startsWith('templates/') || path.endsWith('NOTES.txt')) continue
    for (const [, action = ''] of text.matchAll(/\{\{-?([\s\S]*?)-?\}\}/g)) {
      if (action.trim().startsWith('/*')) continue
      for (const [word] of action.matchAll(/"(?:[^"\\]|\\.)*"|[^\s()"]+|[()]/g)) expect(word, `${path}: ${action}`).toMatch(known)
    }
  }
})

test('there are at most 30 templates and three for each capability, kinds aside', () => {
  expect([...files.keys()].filter(path => /^templates\/(?!crds\/)/.test(path)).length).toBeLessThanOrEqual(
    30 + 3 * enabledCapabilities.length,
  )
})

describe('as one file', () => {
  test('it is the same bytes twice, and says nothing of who made it and where', async () => {
    const packed = await packChart('ballast', files)
    expect((await packChart('ballast', new Map([...files].reverse()))).equals(packed)).toBe(true)
    expect([...packed.subarray(4, 10)]).toEqual([0, 0, 0, 0, 2, 255])
    const headers: { readonly name: string; readonly mode: number | undefined; readonly owner: readonly unknown[] }[] = []
    const reading = extract()
    reading.end(gunzipSync(packed))
    for await (const entry of reading) {
      const { name, mode, uid, gid, uname, gname, mtime } = entry.header
      headers.push({ name, mode, owner: [uid, gid, uname, gname, mtime?.getTime()] })
      entry.resume()
    }
    expect(headers[0]?.name).toBe('ballast/Chart.yaml')
    expect(headers.map(({ name }) => name).toSorted()).toEqual([...files.keys()].map(path => `ballast/${path}`).toSorted())
    expect(new Set(headers.map(({ mode, owner }) => JSON.stringify([mode, owner]))).size).toBe(1)
  })
})

// `ballast manifests --stage`: what is there before the switch of a component, and what the switch is.
import { expect, test } from 'vitest'
import type { Surroundings } from '../src/cli/command-line.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'
import { embeddedEnding } from '../src/process/surroundings.ts'
import { commandDefinitions, commandTree } from './command-tree.ts'
import { documentsOf } from './rendered-chart.ts'

const definitions = await commandDefinitions()
const plain = processTerminal({})

/** What the command prints, and what it says on standard error. @throws where it is refused */
async function ran(...args: readonly string[]): Promise<{ readonly text: string; readonly said: readonly string[] }> {
  const said: string[] = []
  let text = ''
  const write = (piece: string) => {
    text += `${piece}\n`
  }
  const terminal = { ...plain, say: (line: string) => said.push(line), write }
  const surroundings = {
    terminal,
    environment: {},
    signal: new AbortController().signal,
    ending: embeddedEnding,
    end: () => undefined,
  } as Surroundings
  await commandTree(definitions, surroundings).parseAsync(['manifests', ...args], { from: 'user' })
  return { text, said }
}

const keys = (text: string) => documentsOf(text).map(({ kind, metadata }) => `${kind} ${metadata.name}`)

test('the switch is what leads the cluster to us, and both stages together are everything, in its order', async () => {
  const names = 'autoscale,metrics,nfs'
  const all = keys((await ran('--enable', names)).text)
  const [install, later] = [
    keys((await ran('--enable', names, '--stage', 'install')).text),
    keys((await ran('--enable', names, '--stage', 'switch')).text),
  ]
  const wanted = ['CSIDriver nfs.csi.k8s.io', 'APIService v1beta1.external.metrics.k8s.io', 'APIService v1beta1.metrics.k8s.io']
  expect(later).toEqual(wanted)
  expect(install).toEqual(all.filter(key => !wanted.includes(key)))
})

test('webhooks of one’s own belong to the switch', async () => {
  const webhook =
    '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"MutatingWebhookConfiguration","metadata":{"name":"mine"}}'
  expect(keys((await ran('--set', `extraObjects=[${webhook}]`, '--stage', 'switch')).text)).toEqual([
    'MutatingWebhookConfiguration mine',
  ])
})

test('where nothing is to be switched, that is said', async () => {
  const { text, said } = await ran('--enable', 'reload', '--stage', 'switch')
  expect([text.trim(), said]).toEqual(['', ['nothing to switch: of what is enabled nothing belongs to this stage']])
})

test.each([
  [['--static-pod', 'mirror', '--stage', 'install'], '--stage and --static-pod exclude each other'],
  [['--cleanup', '--stage', 'switch'], '--stage and --cleanup exclude each other'],
])('%s is refused', async (args, why) => {
  await expect(ran(...args)).rejects.toThrow(why)
})

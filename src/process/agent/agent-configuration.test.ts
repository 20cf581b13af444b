import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mirror } from '#capabilities/mirror'
import { InputError } from '#kube/problem.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { readAgentConfiguration } from './agent-configuration.ts'

async function read(text: string) {
  const path = join(await temporaryDirectory(), 'config.yaml')
  await writeFile(path, text)
  return readAgentConfiguration(path, { mirror: mirror.config })
}

const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'

test('the own section is read, those of others are not looked at', async () => {
  const { sections, process } = await read(
    `${head}process: {logLevel: debug}\narbiter: {nonsense: true}\ncapabilities:\n  mirror: {enabled: true, ports: [29999]}\n  reload: {nonsense: 1}\n`,
  )
  expect(process.logLevel).toBe('debug')
  expect(sections['mirror']).toMatchObject({ ports: [29_999], routerPort: 29_995 })
  expect(sections['mirror']).not.toHaveProperty('enabled')
})

test('without a file the defaults hold', () => {
  expect(readAgentConfiguration(undefined, { mirror: mirror.config }).sections['mirror']).toMatchObject({
    ports: [29_999, 30_020],
  })
})

// biome-ignore format: a table
test.each([
  ['a key that is none', `${head}capabilities: {mirror: {port: 1}}\n`, 'capabilities.mirror'],
  ['a value that is none', `${head}capabilities: {mirror: {ports: [0]}}\n`, 'capabilities.mirror: ports[0]'],
  ['another kind', 'apiVersion: v1\nkind: ConfigMap\n', 'kind'],
  ['no YAML', '{', 'YAML'],
  ['aliases that multiply', `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`, 'few aliases'],
])('%s is told', async (_case, text, words) => {
  await expect(read(text)).rejects.toThrow(InputError)
  await expect(read(text)).rejects.toThrow(words)
})

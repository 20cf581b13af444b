// Requests of docs/dashboard.md are answered by what `npm start` shows.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startExample } from '#test/real/browser/ballast-process.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'dashboard.md'), 'utf8')
const lines = [...manual.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'))

test('every request is answered by what npm start shows', async () => {
  const requests = lines.filter(line => line.startsWith('curl '))
  expect(requests.length).toBeGreaterThan(20)
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  const plans: readonly { readonly name: string }[] = JSON.parse(await (await fetch(`${ballast.url}api/v1/plans`)).text())
  const refused: string[] = []
  for (const request of requests) {
    const [, address = ''] = /(http:\/\/127\.0\.0\.1:8080[^\s'"]*)/.exec(request) ?? []
    const url = address.replace('http://127.0.0.1:8080/', ballast.url).replace('$PLAN', plans[0]?.name ?? '')
    const headers = [...request.matchAll(/-H '([\w-]+): ([^']*)'/g)].map(([, name = '', value = '']) => [
      name,
      name === 'Origin' ? new URL(ballast.url).origin : value,
    ])
    const [, body] = / -d '([^']*)'/.exec(request) ?? []
    const answer = await fetch(url, {
      headers: Object.fromEntries(headers),
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    if (answer.status !== 200) refused.push(`${answer.status} ${request}: ${await answer.text()}`)
    else await answer.body?.cancel()
  }
  expect(refused).toEqual([])
})

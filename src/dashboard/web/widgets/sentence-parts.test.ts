import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOwnPath, sentenceParts } from './sentence-parts.ts'

describe('sentenceParts', () => {
  test.each([
    { name: 'no links', text: 'All is well.', links: [], expected: ['All is well.'] },
    {
      name: 'a link within',
      text: 'talos00 has 93%.',
      links: [{ text: 'talos00', path: '/node/talos00' }],
      expected: ['<talos00 /node/talos00>', ' has 93%.'],
    },
    {
      name: 'links in the order of the text, not of the list',
      text: 'from a to b',
      links: [
        { text: 'b', path: '/node/b' },
        { text: 'a', path: '/node/a' },
      ],
      expected: ['from ', '<a /node/a>', ' to ', '<b /node/b>'],
    },
    {
      name: 'a link beside',
      text: 'No goals.',
      links: [{ text: 'How', path: '/help' }],
      expected: ['No goals.', ' ', '<How /help>'],
    },
    {
      name: 'a link to elsewhere is text',
      text: 'see here',
      links: [{ text: 'here', path: 'https://evil.test/' }],
      expected: ['see here'],
    },
    {
      name: 'a link without scheme to elsewhere',
      text: 'see here',
      links: [{ text: 'here', path: '//evil.test/' }],
      expected: ['see here'],
    },
    { name: 'markup is text', text: '<img onerror=x>', links: [], expected: ['<img onerror=x>'] },
  ])('$name', ({ text, links, expected }) =>
    expect(
      sentenceParts({ text, links }).map(part => (part.path === undefined ? part.text : `<${part.text} ${part.path}>`)),
    ).toEqual(expected),
  )

  test('no word is lost', () =>
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1 }), words => {
        const links = words
          .filter((_word, index) => index % 2 === 0)
          .map(text => ({ text, path: `/p/${encodeURIComponent(text)}` }))
        const joined = sentenceParts({ text: words.join(' '), links })
          .map(({ text }) => text)
          .join('')
        expect(joined.startsWith(words.join(' '))).toBe(true)
      }),
    ))
})

test.each([
  { path: '/node/talos00', own: true },
  { path: '/permits?rule=KedaManaged', own: true },
  { path: '/', own: true },
  { path: '//evil.test', own: false },
  { path: '/\\evil.test', own: false },
  { path: 'javascript:alert(1)', own: false },
  { path: 'node/talos00', own: false },
  { path: '/a\nb', own: false },
  { path: '', own: false },
])('isOwnPath: $path', ({ path, own }) => expect(isOwnPath(path)).toBe(own))

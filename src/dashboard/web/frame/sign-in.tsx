// Asks for a bearer token. It is sent once and kept nowhere on this side: the server answers with a cookie that scripts cannot read.
import { useState } from 'preact/hooks'
import type { ApiError } from '../../contract.ts'
import { retryNow } from '../live/live.ts'
import { ApiProblem, signIn } from '../live/requests.ts'

export function SignIn({ error }: { error: ApiError['error'] | undefined }) {
  const [said, say] = useState(error?.message)
  const [isSending, setSending] = useState(false)
  const takesTokens = document.documentElement.dataset['auth'] !== 'proxy'
  const submit = async (form: HTMLFormElement) => {
    const token = new FormData(form).get('token')
    if (typeof token !== 'string' || token.trim() === '') return
    setSending(true)
    try {
      await signIn(token.trim())
      form.reset()
      // What was shown was another viewer's, or nobody's.
      if (document.getElementById('first') === null) location.reload()
      else retryNow()
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem
      say(problem.message)
    } finally {
      setSending(false)
    }
  }
  if (!takesTokens)
    return (
      <div class="frame-banner">
        <p>{said ?? 'Your session has ended.'} Load the page anew to sign in.</p>
        <button type="button" class="widgets-button" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    )
  return (
    <form
      class="frame-banner frame-sign-in"
      method="post"
      onSubmit={event => {
        event.preventDefault()
        void submit(event.currentTarget)
      }}
    >
      <p>{said ?? 'You are not signed in, or the session has ended.'}</p>
      <label>
        Bearer token <input class="widgets-input" name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit" class="widgets-button widgets-button-prominent" disabled={isSending}>
        Sign in
      </button>
      <p class="frame-hint">
        <code>kubectl create token ACCOUNT</code> prints one.
      </p>
    </form>
  )
}

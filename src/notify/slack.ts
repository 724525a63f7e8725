import type { Message } from '../core/notify/message.ts'

const LONGEST_SECTION = 2_900

/**
 * The body for an incoming webhook of Slack, and of what takes the same (Mattermost, Rocket.Chat, Discord's /slack): `text` is what
 * notifications and plain clients show, `blocks` the message itself.
 *
 * @example slackBody(message).text // 'shop/production: v43 was not taken'
 */
export function slackBody(message: Message): { readonly text: string; readonly blocks: readonly object[] } {
  const { title, text, because, next } = message
  const reason = because !== null && !text.includes(because.text) ? `\n${because.text}` : ''
  return {
    text: escaped(`${title}: ${text}`).slice(0, LONGEST_SECTION),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: title.slice(0, 150) } },
      { type: 'section', text: { type: 'mrkdwn', text: escaped(`${text}${reason}`).slice(0, LONGEST_SECTION) } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `${escaped(message.at)} · \`${escaped(next)}\`` }] },
    ],
  }
}

/** Slack's own three: nothing that an app prints becomes a link or calls @everyone. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

// Requests to the server.

/** A refusal or failure, whose message is for the reader of the page. */
export class AskError extends Error {
  /** `status` is that of the answer; undefined where there was none. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The JSON of an answer: to a GET, or with a body to a POST. Rejects with AskError, and with the reason of the signal. */
export async function ask(path, { body, key, signal }) {
  const headers = {
    ...(body && { "content-type": "application/json" }),
    ...(key && { authorization: `Bearer ${key}` }),
  };
  let response;
  let text;
  try {
    response = await fetch(path, { signal, headers, ...(body && { method: "POST", body: JSON.stringify(body) }) });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new AskError("The server does not answer. Inspect again when it runs.");
  }
  const answer = parse(text);
  if (response.ok && answer !== undefined) return answer;
  const message = typeof answer?.error === "string" ? answer.error : answer?.error?.message;
  throw new AskError(message ?? `The server answered with the status ${response.status}.`, response.status);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, for instance
  }
}

// The shape of an error of the Open Inference Protocol and of torch-t5's own routes: `error` is a text.
import type { Failure } from "../../errors/failure.js";

export const plainError = ({ message, code }: Failure) => ({ error: `${message} (${code})`, code });

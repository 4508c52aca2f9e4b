// Schemas that several protocols use.
import { Type } from "typebox";

/** Text as one value or several. */
export const Texts = Type.Union([Type.String(), Type.Array(Type.String())]);

/** The name of a model of the configuration. */
export const ModelName = Type.Optional(
  Type.String({ description: "the name of a model; without it the first one that can answer" }),
);

export const textsOf = (value: string | readonly string[]) => (typeof value === "string" ? [value] : value);

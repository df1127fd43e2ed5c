"""G2A, played: both of its APIs over one catalogue, one stock and one wallet.

process       its routes, and the way of one request through it
state         everything that it remembers, in one place
catalogue     products, computed from a seed and a number
listing       pages of the catalogue, filtered or not
trade         orders, their keys, the wallet, the stock
contract_api  the API as the contract of this project has it
export_api    the export API as G2A itself has it
refusals      errors, in the shape that each of the two has
minute        the limit of requests per minute
control       what can be told to misbehave, and its limits
control_api   the routes of tests and of the curious
signing       signatures of webhooks, right and wrong
webhooks      sending them
"""

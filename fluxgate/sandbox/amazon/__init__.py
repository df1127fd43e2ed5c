"""Amazon, played: its Selling Partner API, and Login with Amazon, over the data of as many sellers as ask.

process        its routes, and the way of one request through it
state          everything that it remembers, in one place
login          access tokens, and the page of consent
tokens         refresh tokens, access tokens, and codes of consent
finances_v0    claims and sales, as v0 tells them
finances_2024  the same, as 2024-06-19 tells them
inventory_v1   the inventory
orders_v0      orders, and their items one by one, as v0 tells them
orders_2026    orders with their items, as 2026-01-01 tells them
asking         what is read of a query
paging         pages, and the tokens that lead from one to the next
rates          how fast an operation goes
refusals       errors
seller         everything that one seller has, and how it moves on
events         claims and sales, computed from numbers
orders         orders, computed from numbers
stock          SKUs in Amazon's warehouses, computed from numbers
products       what products are called
timeline       rows in the order of a time that they have
chance         what is by chance with a row, and always the same
books          what a client that reads everything must have
control        what can be told to misbehave, and its limits
control_api    the routes of tests and of the curious
"""

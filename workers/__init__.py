"""The asynchronous side: processes that drain the streams and write Postgres. They meet through messages only.

start here      run
the sale        orders consumer worker records answers handover
the proof       reaper proof books
the bus         service bus once outbox scheduler schedules
people          auth accounts logins passwords mail
carts           migration carts
the store       store_orders order_steps money flash_orders follow_ups games
G2A             g2a g2a_sync g2a_batches g2a_fetching g2a_catalogue g2a_stock g2a_problems
keys            g2a_purchases g2a_steps key_orders g2a_keys vault
Amazon          amazon amazon_accounts amazon_account_rows amazon_lists
its syncs       amazon_sync amazon_runs amazon_places amazon_steps amazon_setbacks amazon_parts amazon_claims
                amazon_rows amazon_cursor amazon_progress amazon_documents amazon_resume
Goated          goated goated_sync goated_writing goated_races goated_prizes goated_board
                goated_reads goated_news goated_users verification
webhooks        webhooks
for all         faults clients sync_counts
"""

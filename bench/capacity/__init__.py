"""What a rate needs: arithmetic on measured costs, and a simulation of the token bucket and the lanes at that rate."""
